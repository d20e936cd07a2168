package main

import (
	"math"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func quantize(c *build.Context) {
	both(c, func(g gen) {
		g.fn("quantizeVec", "func(q *int8, d *float32, sums *int16, x *float32, blocks, block int)",
			"quantizeVec"+g.suffix()+" quantises blocks of block values, a multiple of 32.")
		q, d, sums, x := g.arg("q"), g.arg("d"), g.arg("sums"), g.arg("x")
		blocks, block := g.arg("blocks"), g.arg("block")
		abs := g.vec()
		g.VMOVUPS(g.word("abs", 1<<31-1), abs)
		i := g.GP64()

		g.Label("blocks")
		m := g.vec()
		g.zero(m)
		g.XORQ(i, i)
		g.loop("max", i, block, 16, func() {
			for h := range 16 / g.width() {
				v := g.vec()
				g.VANDPS(memIdx(x, i, 4, 4*h*g.width()), abs, v)
				g.VMAXPS(m, v, m) // of NaN and a number, this order chooses m
			}
		})
		amax := g.reduceMax(m)
		inv, ok := g.XMM(), g.XMM()
		g.VMOVSS(g.float("c127", 127), inv)
		g.VDIVSS(amax, inv, inv)
		g.VDIVSS(g.float("c127", 127), amax, amax)
		const notEqual = 4
		g.VCMPSS(imm(notEqual), g.float("inf", float32(math.Inf(1))), inv, ok)
		g.VANDPS(ok, inv, inv)
		g.VANDPS(ok, amax, amax)
		g.VMOVSS(amax, mem(d, 0))

		scale := g.vec()
		g.VBROADCASTSS(inv, scale)
		g.XORQ(i, i)
		g.loop("round", i, block, 16, func() {
			var part []reg.VecVirtual
			for h := range 16 / g.width() {
				v := g.vec()
				g.VMULPS(memIdx(x, i, 4, 4*h*g.width()), scale, v)
				if !g.avx512 { // NaN to 0; the other set's truncation does that
					k := g.vec()
					g.VCMPPS(imm(7), v, v, k)
					g.VANDPS(k, v, v)
				}
				g.VCVTPS2DQ(v, v)
				part = append(part, v)
			}
			if g.avx512 {
				g.VPMOVDB(part[0], memIdx(q, i, 1, 0))
				return
			}
			w, t := g.YMM(), g.XMM()
			g.VPACKSSDW(part[1], part[0], w)
			g.VPERMQ(imm(0xd8), w, w)
			g.VEXTRACTI128(imm(1), w, t)
			g.VPACKSSWB(t, w.AsX(), t)
			g.VMOVDQU(t, memIdx(q, i, 1, 0))
		})

		// The sums of 16, as the sums of absolute differences of q+128 from 0.
		flip, zero := g.YMM(), g.YMM()
		g.VPBROADCASTD(g.word("flip", 0x80808080), flip)
		g.VPXOR(zero, zero, zero)
		g.XORQ(i, i)
		g.loop("sums", i, block, 32, func() {
			v, t := g.YMM(), g.YMM()
			g.VPXOR(memIdx(q, i, 1, 0), flip, v)
			g.VPSADBW(zero, v, v)
			g.VPSRLDQ(imm(8), v, t)
			g.VPADDD(t, v, v)
			g.VPSUBD(g.word("c2048", 16*128), v, v)
			lo, hi := v.AsX(), g.XMM()
			g.VEXTRACTI128(imm(1), v, hi)
			g.VPEXTRW(imm(0), lo, mem(sums, 0))
			g.VPEXTRW(imm(0), hi, mem(sums, 2))
			g.ADDQ(imm(4), sums)
		})

		g.ADDQ(block, q)
		g.LEAQ(memIdx(x, block, 4, 0), x)
		g.ADDQ(imm(4), d)
		g.DECQ(blocks)
		g.JNZ(operand.LabelRef("blocks"))
		g.end()
	})
}
