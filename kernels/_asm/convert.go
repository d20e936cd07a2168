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
			f.step(i, src)
			for h := range 16 / g.width() {
				g.VMOVUPS(f.load(memIdx(src, i, 1, h*g.width())), memIdx(dst, i, 4, 4*h*g.width()))
			}
		})
		f.end()

		g.fn("mulF8Tile4x1", "func(dst *float32, w *byte, stride int, scale, x *float32, k int) bool",
			"mulF8Tile4x1"+g.suffix()+" sets dst[r] to the product of row r at w+r*stride with x; the",
			"rows share their scales, one for 128 values. k is a multiple of 16, not 0.",
			"It returns false, and dst is not written, if a weight is NaN or a scale 2**120",
			"or more.")
		dst = g.arg("dst")
		row := g.rowAddresses(g.arg("w"), g.arg("stride"), 4)
		f = g.f8(g.arg("scale"))
		x := g.arg("x")
		k := g.arg("k")
		accs := make([][]acc, 4)
		for r := range accs {
			accs[r] = []acc{g.acc()}
			for _, v := range accs[r][0] {
				g.zero(v)
			}
		}
		i = g.GP64()
		g.XORQ(i, i)
		g.loop("groups", i, k, 16, func() {
			for r := range row {
				g.PREFETCHT0(row[r](i, 1, prefetchAhead))
			}
			p := make([]reg.Register, 4)
			for r := range p {
				m := row[r](i, 1, 0)
				p[r] = m.Base
			}
			f.step(i, p...)
			for h := range 16 / g.width() {
				xv := g.vec()
				g.VMOVUPS(memIdx(x, i, 4, 4*h*g.width()), xv)
				for r := range row {
					g.VFMADD231PS(f.load(row[r](i, 1, h*g.width())), xv, accs[r][0][h])
				}
			}
		})
		g.storeTrees(accs, dst, nil)
		f.end()
	})
}

// f8 reads scaled 8-bit floats (4 exponent bits, 3 mantissa bits).
type f8 struct {
	g      gen
	scale  reg.GPVirtual
	factor reg.VecVirtual // scale * 256
}

func (g gen) f8(scale reg.GPVirtual) f8 { return f8{g, scale, g.vec()} }

// step begins a group of 16 at src+i. Each 128 it fetches a scale. It leaves the
// function if there is a NaN.
func (f f8) step(i reg.GPVirtual, src ...reg.Register) {
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
	any := g.XMM()
	for n, p := range src {
		x := g.XMM()
		g.VMOVDQU(memIdx(p, i, 1, 0), x)
		g.VPOR(g.word("flip", 0x80808080), x, x)
		g.VPCMPEQB(g.word("ff", 0xffffffff), x, x)
		if n == 0 {
			any = x
		} else {
			g.VPOR(x, any, any)
		}
	}
	g.VPTEST(any, any)
	g.JNZ(operand.LabelRef("special"))
}

// load converts a vector's worth of values. As a half the shifted bits are 256
// times too small, also for subnormals; the factor makes up for that.
func (f f8) load(m operand.Mem) reg.VecVirtual {
	g := f.g
	h, v := g.half(), g.vec()
	g.VPMOVSXBW(m, h)
	g.VPSLLW(imm(7), h, h)
	g.VPAND(g.word("noBit14", 0xbfffbfff), h, h)
	g.VCVTPH2PS(h, v)
	g.VMULPS(f.factor, v, v)
	return v
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
