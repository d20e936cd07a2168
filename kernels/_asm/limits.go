package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// limitChains is the number of independent chains: latency times instructions a
// cycle is 8 to 10 on all CPUs so far.
const limitChains = 12

// limits generates what speeds are compared with.
func limits(c *build.Context) {
	both(c, func(g gen) {
		chains := func(step func(acc, x reg.VecVirtual)) {
			n, i := g.arg("n"), g.GP64()
			a, x := g.vecs(limitChains), g.vec()
			for _, v := range append(a, x) {
				g.zero(v)
			}
			g.XORQ(i, i)
			g.loop("steps", i, n, 1, func() {
				for _, v := range a {
					step(v, x)
				}
			})
			g.end()
		}
		g.fn("limitFloat", "func(n int)", label("limitFloat%s does n times %d independent multiply-adds of vectors of float32.", g.suffix(), limitChains))
		chains(func(a, x reg.VecVirtual) { g.VFMADD231PS(x, x, a) })
		g.fn("limitInt8", "func(n int)", label("limitInt8%s does n times %d independent multiply-adds of vectors of int8.", g.suffix(), limitChains))
		if g.avx512 {
			chains(func(a, x reg.VecVirtual) { g.VPDPBUSD(x, x, a) })
		} else {
			t := g.vec()
			chains(func(a, x reg.VecVirtual) {
				g.VPMADDUBSW(x, x, t)
				g.VPADDW(t, a, a)
			})
		}

		g.fn("limitRead", "func(p *byte, n int)", "limitRead"+g.suffix()+" reads n bytes, a multiple of 512, not 0.")
		p, n, i := g.arg("p"), g.arg("n"), g.GP64()
		v := g.vecs(4)
		for _, v := range v {
			g.zero(v)
		}
		g.XORQ(i, i)
		g.Label("lines")
		for j := range 512 / (4 * g.width()) {
			g.VXORPS(memIdx(p, i, 1, 4*g.width()*j), v[j%4], v[j%4])
		}
		g.ADDQ(operand.I32(512), i)
		g.CMPQ(i, n)
		g.JLT(operand.LabelRef("lines"))
		g.end()
	})
}
