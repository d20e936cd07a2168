package main

import "github.com/mmcloughlin/avo/build"

func rotate(c *build.Context) {
	both(c, func(g gen) {
		g.fn("rotateHalfVec", "func(x, cos, sin *float32, n int)",
			"rotateHalfVec"+g.suffix()+" turns the pairs (x[i], x[i+n]).")
		lo, cos, sin, n := g.arg("x"), g.arg("cos"), g.arg("sin"), g.arg("n")
		hi := g.GP64()
		g.LEAQ(memIdx(lo, n, 4, 0), hi)
		g.each(n, func(e elements) {
			a, b, c, s := e.load(lo), e.load(hi), e.load(cos), e.load(sin)
			x, y := g.vec(), g.vec()
			g.VMULPS(c, a, x)
			g.VMULPS(s, b, y)
			g.VSUBPS(y, x, x)
			e.store(x, lo)
			g.VMULPS(c, b, b)
			g.VMULPS(s, a, a)
			g.VADDPS(a, b, b)
			e.store(b, hi)
		})
		g.end()
	})
	g := gen{Context: c} // pairs are short: 256 bits serve both sets
	g.fn("rotatePairsVec", "func(x, cos, sin *float32, n int)",
		"rotatePairsVec"+g.suffix()+" turns the pairs (x[2i], x[2i+1]); n is a multiple of 4, not 0.")
	x, cos, sin, n := g.arg("x"), g.arg("cos"), g.arg("sin"), g.arg("n")
	i := g.GP64()
	g.XORQ(i, i)
	g.loop("pairs", i, n, 4, func() {
		v, swapped, c, s := g.YMM(), g.YMM(), g.YMM(), g.YMM()
		g.VMOVUPS(memIdx(x, i, 8, 0), v)
		g.VPERMILPS(imm(0xb1), v, swapped)
		g.VPMOVZXDQ(memIdx(cos, i, 4, 0), c)
		g.VMOVSLDUP(c, c)
		g.VPMOVZXDQ(memIdx(sin, i, 4, 0), s)
		g.VMOVSLDUP(s, s)
		g.VMULPS(c, v, v)
		g.VMULPS(s, swapped, s)
		g.VADDSUBPS(s, v, v)
		g.VMOVUPS(v, memIdx(x, i, 8, 0))
	})
	g.end()
}
