package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets within kernels.Super and kernels.Small.
const (
	rowScale = 256
	rowMin   = rowScale + 32
	rowD     = rowMin + 32
	rowDMin  = rowD + 4
	rowD2    = 32
	rowM     = rowD2 + 8
)

// values generates the float32 that unpacked blocks stand for.
func values(c *build.Context) {
	both(c, func(g gen) {
		g.fn("valuesSuper", "func(dst *float32, b *byte)",
			"valuesSuper"+g.suffix()+" sets 256 values to d*Q - m, d = D*Scale, m = DMin*Min.")
		dst, b := g.arg("dst"), g.arg("b")
		room := g.AllocLocal(128) // d and m of each 16 values
		for i, p := range []struct{ factor, of int }{{rowD, rowScale}, {rowDMin, rowMin}} {
			f := g.vec()
			g.VBROADCASTSS(mem(b, p.factor), f)
			for h := range 16 / g.width() {
				v := g.vec()
				g.VPMOVSXWD(mem(b, p.of+2*h*g.width()), v)
				g.VCVTDQ2PS(v, v)
				g.VMULPS(f, v, v)
				g.VMOVUPS(v, room.Offset(64*i+4*h*g.width()))
			}
		}
		for i := 0; i < 256; i += g.width() {
			v, d, m := g.vec(), g.vec(), g.vec()
			g.codes(b, i, v)
			g.VBROADCASTSS(room.Offset(i/16*4), d)
			g.VBROADCASTSS(room.Offset(64+i/16*4), m)
			g.VMULPS(d, v, v)
			g.VSUBPS(m, v, v)
			g.VMOVUPS(v, mem(dst, 4*i))
		}
		g.end()

		g.q8_0()

		g.fn("valuesSmall", "func(dst *float32, b *byte)",
			"valuesSmall"+g.suffix()+" sets 32 values to D*Q + M.")
		dst, b = g.arg("dst"), g.arg("b")
		m := g.vec()
		g.VBROADCASTSS(mem(b, rowM), m)
		for i := 0; i < 32; i += g.width() {
			v, d := g.vec(), g.vec()
			g.codes(b, i, v)
			g.VBROADCASTSS(mem(b, rowD2+i/16*4), d)
			g.VMULPS(d, v, v)
			g.VADDPS(m, v, v)
			g.VMOVUPS(v, mem(dst, 4*i))
		}
		g.end()
	})
}

// q8_0 converts blocks of 34 bytes, the scale in 16 bits first, without unpacking:
// caches of keys and values may be such.
func (g gen) q8_0() {
	g.fn("convertQ8_0", "func(dst *float32, src *byte, blocks int)",
		"convertQ8_0"+g.suffix()+" converts blocks of q8_0, at least one.")
	dst, src, n := g.arg("dst"), g.arg("src"), g.arg("blocks")
	g.Label("blocks")
	half, d := g.GP32(), g.vec()
	g.MOVWLZX(mem(src, 0), half)
	g.VMOVD(half, d.AsX())
	g.VCVTPH2PS(d.AsX(), d.AsX())
	g.VBROADCASTSS(d.AsX(), d)
	for i := 0; i < 32; i += g.width() {
		v := g.vec()
		g.codes(src, 2+i, v)
		g.VMULPS(d, v, v)
		g.VMOVUPS(v, mem(dst, 4*i))
	}
	g.ADDQ(imm(34), src)
	g.SUBQ(operand.I32(-128), dst)
	g.DECQ(n)
	g.JNZ(operand.LabelRef("blocks"))
	g.end()
}

// codes converts a vector's worth of int8 from i on.
func (g gen) codes(b reg.Register, i int, v operand.Op) {
	g.VPMOVSXBD(mem(b, i), v)
	g.VCVTDQ2PS(v, v)
}
