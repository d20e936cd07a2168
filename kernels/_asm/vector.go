package main

import "github.com/mmcloughlin/avo/build"

// vector generates what adds and scales.
func vector(c *build.Context) {
	both(c, func(g gen) {
		g.fn("dotVec", "func(a, b *float32, n int) float32", "dotVec"+g.suffix()+" returns the contract's dot product.")
		a, b := g.arg("a"), g.arg("b")
		sum := g.acc()
		for _, v := range sum {
			g.zero(v)
		}
		g.each(g.arg("n"), func(e elements) {
			g.VFMADD231PS(e.load(a), e.load(b), sum[e.h])
		})
		g.Store(g.tree(sum), g.ReturnIndex(0))
		g.end()

		g.fn("axpyVec", "func(dst *float32, a float32, x *float32, n int)",
			"axpyVec"+g.suffix()+" sets dst[i] = fma(a, x[i], dst[i]).")
		dst, f, x := g.arg("dst"), g.argVec("a"), g.arg("x")
		g.each(g.arg("n"), func(e elements) {
			d := e.load(dst)
			g.VFMADD231PS(e.load(x), f, d)
			e.store(d, dst)
		})
		g.end()

		g.fn("addVec", "func(dst, x *float32, n int)", "addVec"+g.suffix()+" sets dst[i] += x[i].")
		dst, x = g.arg("dst"), g.arg("x")
		g.each(g.arg("n"), func(e elements) {
			d := e.load(dst)
			g.VADDPS(e.load(x), d, d)
			e.store(d, dst)
		})
		g.end()

		g.fn("scaleVec", "func(dst, x *float32, r float32, n int)", "scaleVec"+g.suffix()+" sets dst[i] = x[i]*r.")
		dst, x = g.arg("dst"), g.arg("x")
		r := g.argVec("r")
		g.each(g.arg("n"), func(e elements) {
			v := e.load(x)
			g.VMULPS(r, v, v)
			e.store(v, dst)
		})
		g.end()

		g.fn("scaleMulVec", "func(dst, x, w *float32, r float32, n int)", "scaleMulVec"+g.suffix()+" sets dst[i] = w[i]*(x[i]*r).")
		dst, x = g.arg("dst"), g.arg("x")
		w := g.arg("w")
		r = g.argVec("r")
		g.each(g.arg("n"), func(e elements) {
			v := e.load(x)
			g.VMULPS(r, v, v)
			g.VMULPS(e.load(w), v, v)
			e.store(v, dst)
		})
		g.end()

		g.fn("divVec", "func(dst, x *float32, d float32, n int)", "divVec"+g.suffix()+" sets dst[i] = x[i]/d.")
		dst, x = g.arg("dst"), g.arg("x")
		d := g.argVec("d")
		g.each(g.arg("n"), func(e elements) {
			v := e.load(x)
			g.VDIVPS(d, v, v)
			e.store(v, dst)
		})
		g.end()
	})
}
