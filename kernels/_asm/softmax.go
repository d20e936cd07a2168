package main

import (
	"math"

	"github.com/mmcloughlin/avo/build"
)

// softmax generates the passes of a softmax.
func softmax(c *build.Context) {
	both(c, func(g gen) {
		g.fn("maxVec", "func(x *float32, n int) float32",
			"maxVec"+g.suffix()+" returns the greatest value, ignoring NaN; -Inf if there is none.")
		x := g.arg("x")
		m := g.vec()
		g.VBROADCASTSS(g.float("minusInf", float32(math.Inf(-1))), m)
		n := g.arg("n")
		g.each(n, func(e elements) {
			v := e.load(x)
			if e.mask != nil {
				inf := g.vec()
				g.VBROADCASTSS(g.float("minusInf", float32(math.Inf(-1))), inf)
				e.choose(v, inf)
			}
			g.VMAXPS(m, v, m) // of NaN and a number, this order chooses m
		})
		s := g.reduceMax(m)
		g.addZero(s)
		g.Store(s, g.ReturnIndex(0))
		g.end()

		g.fn("expSumVec", "func(dst, x *float32, m float32, n int) float32",
			"expSumVec"+g.suffix()+" sets dst[i] = e**(x[i]-m) and returns the sum in 16 lanes.")
		dst, x := g.arg("dst"), g.arg("x")
		m = g.argVec("m")
		sum := g.acc()
		for _, v := range sum {
			g.zero(v)
		}
		g.each(g.arg("n"), func(e elements) {
			v := e.load(x)
			g.VSUBPS(m, v, v)
			p := g.exp(v)
			e.store(p, dst)
			e.keep(p) // adds +0 to the lanes without a value, which changes none
			g.VADDPS(p, sum[e.h], sum[e.h])
		})
		g.Store(g.tree(sum), g.ReturnIndex(0))
		g.end()
	})
}
