package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// deltaWidth is how many columns of a head's memory the assembly takes, deltaLanes
// in how many lanes sums run.
const (
	deltaWidth = 32
	deltaLanes = 4
)

func deltaNet(c *build.Context) {
	both(c, func(g gen) {
		g.fn("deltaStep", "func(state, q, k, v, dst *float32, decay, beta float32, dk int)",
			"deltaStep"+g.suffix()+" sends one token through 32 columns of a memory of dk rows, a multiple of 4.")
		state, q, k, v, dst, dk := g.arg("state"), g.arg("q"), g.arg("k"), g.arg("v"), g.arg("dst"), g.arg("dk")
		const vecs = 2 // at a time: with four lanes they fill the registers of AVX2
		for first := 0; first < deltaWidth; first += vecs * g.width() {
			g.deltaColumns(first, vecs, state, q, k, v, dst, dk)
		}
		g.end()
	})
}

// deltaColumns does it for n vectors of columns.
func (g gen) deltaColumns(first, n int, state, q, k, v, dst, dk reg.GPVirtual) {
	at := func(j int) int { return 4 * (first + j*g.width()) }
	row := func(l int) int { return 4 * deltaWidth * l }
	s, i := g.GP64(), g.GP64()
	rows := func(name string, do func(l int)) {
		g.MOVQ(state, s)
		g.XORQ(i, i)
		g.loop(label("%s%d", name, first), i, dk, deltaLanes, func() {
			for l := range deltaLanes {
				do(l)
			}
			g.ADDQ(operand.I32(4*deltaWidth*deltaLanes), s)
		})
	}
	zeros := func() []reg.VecVirtual {
		sums := g.vecs(deltaLanes * n)
		for _, v := range sums { // whole registers, or avo takes their upper parts to be in use before
			if g.avx512 {
				g.VPXORD(v, v, v)
			} else {
				g.VXORPS(v, v, v)
			}
		}
		return sums
	}
	join := func(sums []reg.VecVirtual, j int) reg.VecVirtual {
		lane := func(l int) reg.VecVirtual { return sums[l*n+j] }
		g.VADDPS(lane(2), lane(0), lane(0))
		g.VADDPS(lane(3), lane(1), lane(1))
		g.VADDPS(lane(1), lane(0), lane(0))
		return lane(0)
	}

	recalled := zeros()
	rows("recall", func(l int) {
		ki := g.vec()
		g.VBROADCASTSS(memIdx(k, i, 4, 4*l), ki)
		for j := range n {
			g.VFMADD231PS(mem(s, row(l)+at(j)), ki, recalled[l*n+j])
		}
	})

	decay, beta := g.argVec("decay"), g.argVec("beta")
	delta := make([]reg.VecVirtual, n)
	for j := range delta {
		m := join(recalled, j)
		delta[j] = g.vec()
		g.VMULPS(decay, m, m)
		g.VMOVUPS(mem(v, at(j)), delta[j])
		g.VSUBPS(m, delta[j], delta[j])
		g.VMULPS(beta, delta[j], delta[j])
	}

	out := zeros()
	rows("learn", func(l int) {
		ki, qi := g.vec(), g.vec()
		g.VBROADCASTSS(memIdx(k, i, 4, 4*l), ki)
		g.VBROADCASTSS(memIdx(q, i, 4, 4*l), qi)
		for j := range n {
			x, y := g.vec(), g.vec()
			g.VMULPS(mem(s, row(l)+at(j)), decay, x)
			g.VMULPS(delta[j], ki, y)
			g.VADDPS(y, x, x)
			g.VMOVUPS(x, mem(s, row(l)+at(j)))
			g.VFMADD231PS(x, qi, out[l*n+j])
		}
	})
	for j := range n {
		g.VMOVUPS(join(out, j), mem(dst, at(j)))
	}
}
