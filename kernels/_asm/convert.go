package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// convert generates the exact conversions of rows to float32, and the product of
// four rows of scaled 8-bit floats with one column.
func convert(c *build.Context) {
	both(c, func(g gen) {
		for _, s := range []source{sourceF16, sourceBF16} {
			g.fn("convert"+s.name, "func(dst *float32, src *byte, n int)",
				"convert"+s.name+g.suffix()+" converts n values, a multiple of 16, not 0.")
			dst, src, n := g.arg("dst"), g.arg("src"), g.arg("n")
			i := g.GP64()
			g.XORQ(i, i)
			g.loop("groups", i, n, 16, func() {
				for h := range 16 / g.width() {
					v := g.vec()
					g.load(s, memIdx(src, i, uint8(s.bytes), s.bytes*h*g.width()), v)
					g.VMOVUPS(v, memIdx(dst, i, 4, 4*h*g.width()))
				}
			})
			g.end()
		}

		g.fn("convertF8", "func(dst *float32, src *byte, scale *float32, n int) bool",
			"convertF8"+g.suffix()+" converts n values, a multiple of 16, not 0, with a scale for 128.",
			"It returns false, and dst is not all written, if a value is NaN or a scale",
			"2**120 or more.")
		dst, src := g.arg("dst"), g.arg("src")
		f := g.f8(g.arg("scale"))
		n := g.arg("n")
		i := g.GP64()
		g.XORQ(i, i)
		g.loop("groups", i, n, 16, func() {
			f.step(i, memIdx(src, i, 1, 0))
			for h := range 16 / g.width() {
				g.VMOVUPS(f.load(memIdx(src, i, 1, h*g.width())), memIdx(dst, i, 4, 4*h*g.width()))
			}
		})
		f.check()
		f.end()

		g.mulF8Tile(1)
		if g.avx512 {
			g.mulF8Tile(2)
			g.mulF8Tile(4)
		}
	})
}

// mulF8Tile makes the product of four rows with some columns.
func (g gen) mulF8Tile(cols int) {
	name := label("mulF8Tile4x%d", cols)
	g.fn(name, "func(dst *float32, ld int, w *byte, stride int, scale, x *float32, off *int, k int) bool",
		name+g.suffix()+" sets dst[j*ld+r] to the product of row r at w+r*stride and",
		"column j at x+off[j]; the rows share their scales, one for 128 values. k is a",
		"multiple of 16, not 0. It returns false, and dst is not written, if a weight is",
		"NaN or a scale 2**120 or more.")
	dst, ld, stride := g.arg("dst"), g.arg("ld"), g.arg("stride")
	g.SHLQ(imm(2), ld)
	next := g.ahead(stride, 4, source{bytes: 1})
	row := g.rowAddresses(g.arg("w"), stride, 4)
	f := g.f8(g.arg("scale"))
	col := g.columns(g.arg("x"), g.arg("off"), cols)
	k := g.arg("k")
	accs := g.accs(4, cols)
	i := g.GP64()
	g.XORQ(i, i)
	g.loop("groups", i, k, 16, func() {
		var m []operand.Mem
		for r := range row {
			g.PREFETCHT0(row[r](next, 1, 0))
			m = append(m, row[r](i, 1, 0))
		}
		g.ADDQ(imm(16), next)
		f.step(i, m...)
		for h := range 16 / g.width() {
			x := g.vecs(cols)
			for j := range x {
				g.VMOVUPS(memIdx(col[j], i, 4, 4*h*g.width()), x[j])
			}
			for r := range row {
				w := f.load(row[r](i, 1, h*g.width()))
				for j := range x {
					g.VFMADD231PS(w, x[j], accs[r][j][h])
				}
			}
		}
	})
	f.check()
	g.storeTrees(accs, dst, ld)
	f.end()
}

// f8 reads scaled 8-bit floats (4 exponent bits, 3 mantissa bits).
type f8 struct {
	g      gen
	scale  reg.GPVirtual
	factor reg.VecVirtual // scale * 256
	sign   reg.VecVirtual
	most   reg.VecVirtual // of values as bytes with the sign bit set: 0xff if there is a NaN
	mask   reg.VecVirtual
}

func (g gen) f8(scale reg.GPVirtual) f8 {
	f := f8{g, scale, g.vec(), g.XMM(), g.XMM(), g.half()}
	g.VMOVDQU(g.word("flip", 0x80808080), f.sign)
	g.VPXOR(f.most, f.most, f.most)
	g.VMOVDQU(g.word("noBit14", 0xbfffbfff), f.mask)
	return f
}

// step begins a group of 16 at src+i. Each 128 it fetches a scale; it leaves the
// function if that is too large.
func (f f8) step(i reg.GPVirtual, src ...operand.Mem) {
	g := f.g
	g.TESTQ(operand.U32(127), i)
	g.JNZ(operand.LabelRef("scaled"))
	g.VBROADCASTSS(mem(f.scale, 0), f.factor)
	g.ADDQ(imm(4), f.scale)
	t := g.GP32()
	g.VMOVD(f.factor.AsX(), t)
	g.ANDL(operand.U32(1<<31-1), t)
	g.CMPL(t, operand.U32((127+120)<<23))
	g.JGE(operand.LabelRef("special"))
	g.VMULPS(g.float("c256", 256), f.factor, f.factor)
	g.Label("scaled")
	for _, m := range src {
		x := g.XMM()
		g.or(m, f.sign, x)
		g.VPMAXUB(x, f.most, f.most)
	}
}

// load converts a vector's worth of values. As a half the shifted bits are 256
// times too small, also for subnormals; the factor makes up for that.
func (f f8) load(m operand.Mem) reg.VecVirtual {
	g := f.g
	h, v := g.half(), g.vec()
	g.VPMOVSXBW(m, h)
	g.VPSLLW(imm(7), h, h)
	g.and(f.mask, h, h)
	g.VCVTPH2PS(h, v)
	g.VMULPS(f.factor, v, v)
	return v
}

// check leaves the function if there was a NaN.
func (f f8) check() {
	g := f.g
	g.VPCMPEQB(g.word("ff", 0xffffffff), f.most, f.most)
	g.VPTEST(f.most, f.most)
	g.JNZ(operand.LabelRef("special"))
}

// end returns true; "special" returns false.
func (f f8) end() {
	g := f.g
	for _, ok := range []int{1, 0} {
		t := g.GP8()
		g.MOVB(operand.U8(ok), t)
		g.Store(t, g.ReturnIndex(0))
		g.VZEROUPPER()
		g.RET()
		if ok == 1 {
			g.Label("special")
		}
	}
}
