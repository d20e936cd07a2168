package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

// deltaWidth is how many columns of a head's memory the assembly takes.
const deltaWidth = 32

func deltaNet(c *build.Context) {
	both(c, func(g gen) {
		g.fn("deltaStep", "func(state, q, k, v, dst *float32, decay, beta float32, dk int)",
			"deltaStep"+g.suffix()+" sends one token through 32 columns of a memory of dk rows.")
		n := deltaWidth / g.width()
		at := func(j int) int { return 4 * j * g.width() }
		state, k, dk := g.arg("state"), g.arg("k"), g.arg("dk")
		s, i := g.GP64(), g.GP64()

		delta := g.vecs(n)
		for _, m := range delta {
			g.zero(m)
		}
		g.MOVQ(state, s)
		g.XORQ(i, i)
		g.loop("recall", i, dk, 1, func() {
			ki := g.vec()
			g.VBROADCASTSS(memIdx(k, i, 4, 0), ki)
			for j, m := range delta {
				g.VFMADD231PS(mem(s, at(j)), ki, m)
			}
			g.ADDQ(operand.I32(4*deltaWidth), s)
		})

		decay, v := g.argVec("decay"), g.arg("v")
		beta := g.argVec("beta")
		for j, m := range delta {
			x := g.vec()
			g.VMULPS(decay, m, m)
			g.VMOVUPS(mem(v, at(j)), x)
			g.VSUBPS(m, x, m)
			g.VMULPS(beta, m, m)
		}

		q := g.arg("q")
		out := g.vecs(n)
		for _, o := range out {
			g.zero(o)
		}
		g.MOVQ(state, s)
		g.XORQ(i, i)
		g.loop("learn", i, dk, 1, func() {
			ki, qi := g.vec(), g.vec()
			g.VBROADCASTSS(memIdx(k, i, 4, 0), ki)
			g.VBROADCASTSS(memIdx(q, i, 4, 0), qi)
			for j, o := range out {
				x := g.vec()
				g.VMULPS(mem(s, at(j)), decay, x)
				g.VFMADD231PS(delta[j], ki, x)
				g.VMOVUPS(x, mem(s, at(j)))
				g.VFMADD231PS(x, qi, o)
			}
			g.ADDQ(operand.I32(4*deltaWidth), s)
		})
		dst := g.arg("dst")
		for j, o := range out {
			g.VMOVUPS(o, mem(dst, at(j)))
		}
		g.end()
	})
}
