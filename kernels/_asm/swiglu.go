package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

func swiglu(c *build.Context) {
	both(c, func(g gen) {
		g.fn("swiGLUVec", "func(dst, gate, up *float32, n int)",
			"swiGLUVec"+g.suffix()+" sets dst[i] = silu(gate[i]) * up[i].")
		dst, gate, up := g.arg("dst"), g.arg("gate"), g.arg("up")
		g.each(g.arg("n"), func(e elements) {
			x := e.load(gate)
			g.VDIVPS(g.onePlusExpMinus(x), x, x)
			g.VMULPS(e.load(up), x, x)
			e.store(x, dst)
		})
		g.end()

		g.fn("swiGLUClampedVec", "func(dst, gate, up *float32, alpha, limit float32, n int)",
			"swiGLUClampedVec"+g.suffix()+" sets dst[i] = (u+1) * (g*sigmoid(alpha*g)),",
			"g = min(gate[i], limit), u = clamp(up[i], -limit, limit).")
		dst, gate, up = g.arg("dst"), g.arg("gate"), g.arg("up")
		alpha, limit, low := g.argVec("alpha"), g.argVec("limit"), g.vec()
		g.VXORPS(g.word("sign", 1<<31), limit, low)
		g.each(g.arg("n"), func(e elements) {
			x := e.load(gate)
			g.VMINPS(x, limit, x) // of NaN and a number, this order chooses x
			a := g.vec()
			g.VMULPS(alpha, x, a)
			s := g.vec()
			g.VMOVUPS(g.float("one", 1), s)
			g.VDIVPS(g.onePlusExpMinus(a), s, s)
			g.VMULPS(s, x, x)
			u := e.load(up)
			g.VMINPS(u, limit, u)
			g.VMAXPS(u, low, u)
			g.VADDPS(g.float("one", 1), u, u)
			g.VMULPS(x, u, u)
			e.store(u, dst)
		})
		g.end()
	})
}

// onePlusExpMinus returns 1 + e**-x.
func (g gen) onePlusExpMinus(x reg.VecVirtual) reg.VecVirtual {
	m := g.vec()
	g.VXORPS(g.word("sign", 1<<31), x, m)
	p := g.exp(m)
	g.VADDPS(g.float("one", 1), p, p)
	return p
}
