package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// float is the constant f in all lanes.
func (g gen) float(name string, f float32) operand.Mem {
	return g.word(name, math.Float32bits(f))
}

func (g gen) word(name string, w uint32) operand.Mem {
	words := make([]uint32, 16)
	for i := range words {
		words[i] = w
	}
	return g.words(name, words...)
}

// exp returns kernels.Exp of each lane of x, which it leaves.
func (g gen) exp(x reg.VecVirtual) reg.VecVirtual { return g.expOf(x, true) }

// expBelow is exp for x that are not too large, or whose exp is not used.
func (g gen) expBelow(x reg.VecVirtual) reg.VecVirtual { return g.expOf(x, false) }

func (g gen) expOf(x reg.VecVirtual, large bool) reg.VecVirtual {
	n, r, p, rr := g.vec(), g.vec(), g.vec(), g.vec()
	g.VMULPS(g.float("log2e", 1.44269504), x, n)
	if g.avx512 {
		g.VRNDSCALEPS(imm(8), n, n)
	} else {
		g.VROUNDPS(imm(8), n, n)
	}
	g.VMOVAPS(x, r)
	g.VFNMADD231PS(g.float("ln2Hi", 0.693359375), n, r)
	g.VFNMADD231PS(g.float("ln2Lo", -2.12194440e-4), n, r)
	g.VMULPS(r, r, rr)
	g.VMOVUPS(g.float("exp5", 1.9875691500e-4), p)
	g.VFMADD213PS(g.float("exp4", 1.3981999507e-3), r, p)
	g.VFMADD213PS(g.float("exp3", 8.3334519073e-3), r, p)
	g.VFMADD213PS(g.float("exp2", 4.1665795894e-2), r, p)
	g.VFMADD213PS(g.float("exp1", 1.6666665459e-1), r, p)
	g.VFMADD213PS(g.float("exp0", 5.0000001201e-1), r, p)
	g.VFMADD213PS(r, rr, p)
	g.VADDPS(g.float("one", 1), p, p)
	var big, inf operand.Mem
	if large {
		big, inf = g.float("expMax", 88.72283), g.float("inf", float32(math.Inf(1)))
	}
	small := g.float("expMin", -103.9721)
	const gt, lt, notLess = 0x1e, 0x11, 0x15
	if g.avx512 {
		g.VSCALEFPS(n, p, p) // rounds once, like the two factors of the portable form
		k := g.K()
		if large {
			g.VCMPPS(imm(gt), big, x, k)
			g.VMOVUPS(inf, k, p)
			k = g.K()
		}
		g.VCMPPS(imm(notLess), small, x, k)
		g.VMOVAPS_Z(p, k, p)
		return p
	}
	h := g.vec()
	bias := g.word("bias", 127)
	g.VCVTPS2DQ(n, n)
	g.VPSRAD(imm(1), n, h)
	g.VPSUBD(h, n, n)
	for _, e := range []reg.VecVirtual{h, n} {
		g.VPADDD(bias, e, e)
		g.VPSLLD(imm(23), e, e)
		g.VMULPS(e, p, p)
	}
	k := g.vec()
	if large {
		g.VCMPPS(imm(gt), big, x, k)
		g.VBLENDVPS(k, inf, p, p)
	}
	g.VCMPPS(imm(lt), small, x, k)
	g.VANDNPS(p, k, p)
	return p
}

// addZero makes -0 into +0.
func (g gen) addZero(x reg.Register) {
	z := g.XMM()
	g.VXORPS(z, z, z)
	g.VADDSS(z, x, x)
}

// quarter joins the halves of a by op, then the halves of that.
func (g gen) quarter(a acc, op func(a, b, dst operand.Op)) reg.VecVirtual {
	y := g.YMM()
	if g.avx512 {
		g.VEXTRACTF64X4(imm(1), a[0], y)
		op(y, a[0].AsY(), y)
	} else {
		op(a[1], a[0], y)
	}
	x := g.XMM()
	g.VEXTRACTF128(imm(1), y, x)
	op(x, y.AsX(), x)
	return x
}

// tree adds 16 lanes in the contract's order.
func (g gen) tree(a acc) reg.VecVirtual {
	x := g.quarter(a, func(a, b, dst operand.Op) { g.VADDPS(a, b, dst) })
	t := g.XMM()
	g.VMOVHLPS(x, x, t)
	g.VADDPS(t, x, x)
	g.VMOVSHDUP(x, t)
	g.VADDSS(t, x, x)
	return x
}

// reduceMax returns the greatest lane of a vector without NaN.
func (g gen) reduceMax(m reg.VecVirtual) reg.VecVirtual {
	a := acc{m, m}
	x := g.quarter(a, func(a, b, dst operand.Op) { g.VMAXPS(a, b, dst) })
	t := g.XMM()
	g.VMOVHLPS(x, x, t)
	g.VMAXPS(t, x, x)
	g.VMOVSHDUP(x, t)
	g.VMAXSS(t, x, x)
	return x
}
