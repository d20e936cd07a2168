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

		g.fn("narrowF16", "func(dst *byte, src *float32, n int) bool",
			"narrowF16"+g.suffix()+" rounds n values, a multiple of 16, not 0, to float16. It returns false",
			"if one is NaN, whose bits are then not those of the portable form.")
		g.narrowF16()

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
			f.step(i)
			f.see(memIdx(src, i, 1, 0), g.XMM(), f.most.AsX())
			for h := range 16 / g.width() {
				g.VMOVUPS(f.load(memIdx(src, i, 1, h*g.width())), memIdx(dst, i, 4, 4*h*g.width()))
			}
		})
		f.check()
		f.end()

		for cols := 1; cols <= 4; cols++ {
			g.mulF8Tile(cols)
		}
	})
}

func (g gen) narrowF16() {
	dst, src, n, i := g.arg("dst"), g.arg("src"), g.arg("n"), g.GP64()
	g.XORQ(i, i)
	nan := g.vec()
	g.zero(nan)
	g.loop("groups", i, n, 16, func() {
		for h := range 16 / g.width() {
			v, x := g.vec(), g.half()
			g.VMOVUPS(memIdx(src, i, 4, 4*h*g.width()), v)
			g.VCVTPS2PH(imm(0), v, x) // to nearest, ties to even
			if g.avx512 {
				g.VMOVDQU64(x, memIdx(dst, i, 2, 0))
				k := g.K()
				g.VCMPPS(imm(3), v, v, k) // unordered
				g.VPORD(v, v, k, nan)     // NaN is not 0
			} else {
				g.VMOVDQU(x, memIdx(dst, i, 2, 2*h*g.width()))
				g.VCMPPS(imm(3), v, v, v)
				g.VORPS(v, nan, nan)
			}
		}
	})
	ok := g.GP64()
	if g.avx512 {
		k := g.K()
		g.VPTESTMD(nan, nan, k)
		g.KORTESTW(k, k)
	} else {
		g.VPTEST(nan, nan)
	}
	g.SETEQ(ok.As8())
	g.Store(ok.As8(), g.ReturnIndex(0))
	g.end()
}

// mulF8Tile makes the product of a row with some columns.
func (g gen) mulF8Tile(cols int) {
	name := label("mulF8Tile1x%d", cols)
	g.fn(name, "func(dst *float32, ld int, w *byte, scale, x *float32, off *int, k int) bool",
		name+g.suffix()+" sets dst[j*ld] to the product of the row at w, with a scale for 128",
		"values, and column j at x+off[j]. k is a multiple of 64, not 0. It returns false,",
		"and dst is not written, if a weight is NaN or a scale 2**120 or more.")
	dst, ld, w := g.arg("dst"), g.arg("ld"), g.arg("w")
	g.SHLQ(imm(2), ld)
	f := g.f8(g.arg("scale"))
	col := g.columns(g.arg("x"), g.arg("off"), cols)
	k := g.arg("k")
	accs := g.accs(1, cols)
	i := g.GP64()
	g.XORQ(i, i)
	g.loop("groups", i, k, 64, func() {
		f.step(i)
		for n := 0; n < 64; n += 4 * g.width() {
			f.see(memIdx(w, i, 1, n), g.vec(), f.most)
		}
		for n := 0; n < 64; n += g.width() {
			v := f.load(memIdx(w, i, 1, n))
			for j := range col {
				g.VFMADD231PS(memIdx(col[j], i, 4, 4*n), v, accs[0][j][n/g.width()%len(accs[0][j])])
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
	f := f8{g, scale, g.vec(), g.vec(), g.vec(), g.half()}
	g.VMOVUPS(g.word("flip", 0x80808080), f.sign)
	g.zero(f.most)
	g.VMOVDQU(g.word("noBit14", 0xbfffbfff), f.mask)
	return f
}

// step fetches the scale of the 128 values that begin at i, if any do. It leaves
// the function if that is too large.
func (f f8) step(i reg.GPVirtual) {
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
}

// see looks for NaN among the bytes at m; t is a register of their length, most
// the same length of f.most.
func (f f8) see(m operand.Mem, t, most reg.Register) {
	sign := reg.Register(f.sign)
	if t.Size() == 16 {
		sign = f.sign.AsX()
	}
	f.g.or(m, sign, t)
	f.g.VPMAXUB(t, most, most)
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
	if g.avx512 {
		k := g.K()
		g.VPCMPEQB(g.word("ff", 0xffffffff), f.most, k)
		g.KORTESTQ(k, k)
	} else {
		g.VPCMPEQB(g.word("ff", 0xffffffff), f.most, f.most)
		g.VPTEST(f.most, f.most)
	}
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
