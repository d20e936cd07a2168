package main

import (
	"github.com/mmcloughlin/avo/build"
)

// expandQ8_0 generates the exact conversion of rows of q8_0 to float32.
func expandQ8_0(c *build.Context) {
	both(c, func(g gen) {
		g.fn("expandQ8_0", "func(dst *float32, src *byte, blocks int)",
			"expandQ8_0"+g.suffix()+" converts blocks of 32 values; blocks is not 0.")
		dst, src, n := g.arg("dst"), g.arg("src"), g.arg("blocks")
		i := g.GP64()
		g.XORQ(i, i)
		d, halves, plus0 := g.vec(), g.half(), g.vec()
		g.zero(plus0)
		g.loop("blocks", i, n, 1, func() {
			g.VPBROADCASTW(mem(src, 0), halves)
			g.VCVTPH2PS(halves, d)
			for at := 0; at < 32; at += g.width() {
				v := g.vec()
				g.VPMOVSXBD(mem(src, 2+at), v)
				g.VCVTDQ2PS(v, v)
				g.VMULPS(d, v, v)
				g.VADDPS(plus0, v, v) // no zero is negative
				g.VMOVUPS(v, mem(dst, 4*at))
			}
			g.ADDQ(imm(34), src)
			g.ADDQ(imm(4*32), dst)
		})
		g.end()
	})
}
