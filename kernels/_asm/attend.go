package main

import (
	"math"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const block = 64 // kernels.AttnBlock

// attend generates attention's steps between its two products.
func attend(c *build.Context) {
	both(c, func(g gen) {
		g.attendWeights()
		g.attendTotals()

		g.attendJoin()
	})
}

// attendJoin joins rows.
func (g gen) attendJoin() {
	g.fn("attendJoin", "func(dst, x, c, b *float32, lo, hi *int32, rows, n int)",
		"attendJoin"+g.suffix()+" sets dst[i] = fma(x[i], b, dst[i]*c) in rows of n values, each row with",
		"its own c and b, where lo < hi. rows is not 0.")
	dst, x, c, b := g.arg("dst"), g.arg("x"), g.arg("c"), g.arg("b")
	lo, hi, rows, size, n := g.arg("lo"), g.arg("hi"), g.arg("rows"), g.arg("n"), g.GP64()
	g.SHLQ(imm(2), size)
	g.Label("rows")
	g.MOVL(mem(lo, 0), n.As32())
	g.CMPL(n.As32(), mem(hi, 0))
	g.JGE(operand.LabelRef("done"))
	f, by := g.vec(), g.vec()
	g.VBROADCASTSS(mem(c, 0), f)
	g.VBROADCASTSS(mem(b, 0), by)
	g.Load(g.Param("n"), n)
	g.each(n, func(e elements) {
		d := e.load(dst)
		g.VMULPS(f, d, d)
		g.VFMADD231PS(e.load(x), by, d)
		e.store(d, dst)
	})
	g.ADDQ(size, dst)
	g.ADDQ(size, x)
	for _, p := range []reg.GPVirtual{c, b, lo, hi} {
		g.ADDQ(imm(4), p)
	}
	g.DECQ(rows)
	g.JNZ(operand.LabelRef("rows"))
	g.end()
}

// attendWeights turns scores into weights.
func (g gen) attendWeights() {
	g.fn("attendWeights", "func(score *float32, n int, lo, hi *int32, scale float32, m, l *float32)",
		label("attendWeights%s takes n rows of %d products. In each, over the keys lo..hi-1:", g.suffix(), block),
		"m = max s, s the product times scale; the row becomes e**(s-m); l = their sum in",
		"16 lanes. The other keys' places hold anything after. n is not 0.")
	score, n, lo, hi := g.arg("score"), g.arg("n"), g.arg("lo"), g.arg("hi")
	scale := g.argVec("scale")
	mp, lp := g.arg("m"), g.arg("l")
	vectors := block / g.width()
	iota := make([]uint32, block)
	for i := range iota {
		iota[i] = uint32(i)
	}
	numbers := g.words("iota", iota...)
	number := func(v int) operand.Mem {
		m := numbers
		m.Disp += 4 * v * g.width()
		return m
	}
	// seen selects the keys of vector v: a mask register, or lanes of ones.
	type seen struct {
		k reg.OpmaskVirtual
		v reg.VecVirtual
	}
	see := func(v int) seen {
		from, to, id := g.vec(), g.vec(), g.vec()
		g.VPBROADCASTD(mem(lo, 0), from)
		g.VPBROADCASTD(mem(hi, 0), to)
		g.VMOVUPS(number(v), id)
		if g.avx512 {
			k := g.K()
			const notLess, less = 5, 1
			g.VPCMPD(imm(notLess), from, id, k)
			g.VPCMPD(imm(less), to, id, k, k)
			return seen{k: k}
		}
		g.VPCMPGTD(id, from, from) // lo > id: not seen
		g.VPCMPGTD(id, to, to)
		g.VPANDN(to, from, from)
		return seen{v: from}
	}
	low := g.vec()
	g.VBROADCASTSS(g.float("minusInf", float32(math.Inf(-1))), low)

	// row makes weights of a row, of which all keys are seen or those that see says.
	row := func(see func(v int) seen) {
		m := g.vec()
		g.VMOVAPS(low, m)
		var s [block / 8]reg.VecVirtual
		for v := range vectors {
			s[v] = g.vec()
			g.VMULPS(mem(score, 4*v*g.width()), scale, s[v])
			x := s[v]
			if see != nil || !g.avx512 { // or it stays in its register
				g.VMOVUPS(x, mem(score, 4*v*g.width()))
			}
			if see != nil {
				x = g.vec()
				if k := see(v); g.avx512 {
					g.VBLENDMPS(s[v], low, k.k, x)
				} else {
					g.VBLENDVPS(k.v, s[v], low, x)
				}
			}
			g.VMAXPS(m, x, m) // of NaN and a number, this order chooses m
		}
		top := g.reduceMax(m)
		g.addZero(top)
		g.VMOVSS(top, mem(mp, 0))
		g.VBROADCASTSS(top, m)
		sum := g.acc()
		for _, v := range sum {
			g.zero(v)
		}
		for v := range vectors {
			if see != nil || !g.avx512 {
				s[v] = g.vec()
				g.VMOVUPS(mem(score, 4*v*g.width()), s[v])
			}
			g.VSUBPS(m, s[v], s[v])
			p := g.expBelow(s[v])
			g.VMOVUPS(p, mem(score, 4*v*g.width()))
			if see != nil {
				if k := see(v); g.avx512 {
					g.VMOVAPS_Z(p, k.k, p)
				} else {
					g.VANDPS(k.v, p, p)
				}
			}
			a := sum[v%len(sum)]
			g.VADDPS(p, a, a)
		}
		g.VMOVSS(g.tree(sum), mem(lp, 0))
	}
	g.Label("queries")
	g.CMPL(mem(lo, 0), imm(0))
	g.JNE(operand.LabelRef("some"))
	g.CMPL(mem(hi, 0), imm(block))
	g.JNE(operand.LabelRef("some"))
	row(nil)
	g.JMP(operand.LabelRef("next"))
	g.Label("some")
	row(see)
	g.Label("next")
	g.ADDQ(operand.I32(4*block), score)
	for _, p := range []reg.GPVirtual{lo, hi, mp, lp} {
		g.ADDQ(imm(4), p)
	}
	g.DECQ(n)
	g.JNZ(operand.LabelRef("queries"))
	g.end()
}

// attendTotals joins the maxima and sums of a block to those of the blocks before.
func (g gen) attendTotals() {
	g.fn("attendTotals", "func(M, L, m, l *float32, lo, hi *int32, n int)",
		"attendTotals"+g.suffix()+" joins m and l to M and L for those of n queries with lo < hi:",
		"top = max(M, m), c = e**(M-top), b = e**(m-top), L = fma(l, b, L*c), M = top.",
		"It leaves c in m and b in l; for the other queries it leaves all.")
	M, L, mp, lp := g.arg("M"), g.arg("L"), g.arg("m"), g.arg("l")
	lo, hi := g.arg("lo"), g.arg("hi")
	g.each(g.arg("n"), func(e elements) {
		old, m, top := e.load(M), e.load(mp), g.vec()
		g.VMAXPS(old, m, top) // of NaN and a number, this order chooses M
		c, b := g.vec(), g.vec()
		g.VSUBPS(top, old, c)
		g.VMOVAPS(g.exp(c), c)
		g.VSUBPS(top, m, b)
		g.VMOVAPS(g.exp(b), b)
		sum, l := e.load(L), e.load(lp)
		s := g.vec()
		g.VMULPS(c, sum, s)
		g.VFMADD231PS(b, l, s)
		from, to := e.load(lo), e.load(hi)
		put := func(v, was reg.VecVirtual, p reg.Register) {
			if g.avx512 {
				k := g.K()
				const less = 1
				g.VPCMPD(imm(less), to, from, k)
				g.VBLENDMPS(v, was, k, v)
			} else {
				k := g.vec()
				g.VPCMPGTD(from, to, k)
				g.VBLENDVPS(k, v, was, v)
			}
			e.store(v, p)
		}
		put(top, old, M)
		put(s, sum, L)
		put(c, m, mp)
		put(b, l, lp)
	})
	g.end()
}
