package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Blocks of 32 values whose byte l holds values l, in its low half, and l+16.

var q4_0 = layout{
	name: "Q4_0", format: "q4_0", bytes: 18, values: 32, sub: 32, most: 15, bias: 8,
	block: func(t *tiler) {
		t.d(0, t.halves(0))
		t.nibbles(2, nil)
	},
}

var q4_1 = layout{
	name: "Q4_1", format: "q4_1", bytes: 20, values: 32, sub: 32, most: 15, min: true,
	block: func(t *tiler) {
		t.offsets(t.words(0))
		t.nibbles(4, nil)
	},
}

var q5_0 = layout{
	name: "Q5_0", format: "q5_0", bytes: 22, values: 32, sub: 32, most: 31, bias: 16,
	block: func(t *tiler) {
		if t.evex {
			d, word := t.wordPairs(0, 2)
			t.d(0, t.lowHalves(d))
			t.nibbles(6, t.fifth(word))
			return
		}
		t.d(0, t.halves(0))
		t.nibbles(6, t.fifth(t.words(2)))
	},
}

var q5_1 = layout{
	name: "Q5_1", format: "q5_1", bytes: 24, values: 32, sub: 32, most: 31, min: true,
	block: func(t *tiler) {
		if t.evex {
			d, word := t.wordPairs(0, 4)
			t.offsets(d)
			t.nibbles(8, t.fifth(word))
			return
		}
		t.offsets(t.words(0))
		t.nibbles(8, t.fifth(t.words(4)))
	},
}

var iq4NL = layout{
	name: "IQ4NL", format: "iq4_nl", bytes: 18, values: 32, sub: 32, bias: 128,
	block: func(t *tiler) {
		t.d(0, t.halves(0))
		t.nibbles(2, t.levels(nl4))
	},
}

var mxfp4 = layout{
	name: "MXFP4", format: "mxfp4", bytes: 17, values: 32, sub: 32, most: 24, bias: 12,
	block: func(t *tiler) {
		x := t.words(0)
		t.VPAND(t.dwords("low8", 0xff), x, x)
		t.d(0, t.halfE8M0(x))
		t.nibbles(1, t.levels(fp4))
	},
}

var mxfp4Hub = layout{
	name: "MXFP4Hub", format: "mxfp4_hub", bytes: 16, values: 32, sub: 32, most: 24, bias: 12, beside: true,
	block: func(t *tiler) {
		e, e32, p := t.XMM(), t.vec(), t.GP64()
		t.VPXOR(e, e, e)
		t.MOVQ(t.besides, p)
		for r := range t.rowsAtOnce() {
			t.VPINSRB(U8(uint8(r)), Mem{Base: p}, e, e)
			t.ADDQ(place(t.Context, "scaleStride"), p)
		}
		t.VPMOVZXBD(e, e32)
		t.d(0, t.halfE8M0(e32))
		level := t.levels(fp4)
		for j, x := range t.unit(0) {
			y := t.vec()
			t.split(x, y)
			level(x, 0)
			level(y, 0)
			z := t.vec()
			t.VPUNPCKHBW(y, x, z) // rows 2 and 3, eight values each
			t.VPUNPCKLBW(y, x, x)
			t.VSHUFPS(U8(0x88), z, x, y)
			t.code(y, 8*j)
			t.VSHUFPS(U8(0xdd), z, x, y)
			t.code(y, 8*j+4)
		}
	},
}

var nvfp4 = layout{
	name: "NVFP4", format: "nvfp4", bytes: 36, values: 64, sub: 16, most: 24, bias: 12,
	block: func(t *tiler) {
		scales := t.words(0)
		for s := range 4 { // half of an e4m3: its bits moved to a float32's place are 2**-120 times the value
			x, nan, zero := t.vec(), t.vec(), t.vec()
			t.VPSLLD(U8(uint8(24-8*s)), scales, x)
			t.VPSLLD(U8(1), x, x)
			t.VPSRLD(U8(25), x, x)
			t.VPADDD(t.dwords("d1", 1), x, nan) // 128 for 127, which is NaN
			t.VPSRLD(U8(7), nan, nan)
			t.VPXOR(zero, zero, zero)
			t.VPSUBD(nan, zero, nan)
			t.VPSLLD(U8(20), x, x)
			t.VMULPS(t.dwords("scale", 0x7b000000), x, x) // 2**119
			t.VPOR(nan, x, x)
			t.d(s, x)
		}
		level := t.levels(fp4)
		for i := range 2 {
			for j, x := range t.unit(4 + 16*i) {
				y := t.vec()
				t.split(x, y)
				level(x, 0)
				level(y, 0)
				v := 32*i + 16*(j/2) + 4*(j%2)
				t.code(x, v)
				t.code(y, v+8)
			}
		}
	},
}

var iq4XS = layout{
	name: "IQ4XS", format: "iq4_xs", bytes: 136, values: 256, sub: 32, bias: 128,
	block: func(t *tiler) {
		h, low := t.words(0), t.words(4)
		high, zero := t.vec(), t.vec()
		t.VPXOR(zero, zero, zero)
		t.VPSRLD(U8(16), h, high)
		d, _ := t.halfPairs(h)
		t.d(0, d)
		var even reg.VecVirtual // of a pair
		for i := range 8 {
			x, y := t.vec(), t.vec()
			t.VPSRLD(U8(uint8(4*i)), low, x)
			t.VPAND(t.dwords("d4", 0x0f), x, x)
			t.VPSRLD(U8(uint8(2*i)), high, y)
			t.VPSLLD(U8(4), y, y)
			t.VPAND(t.dwords("d2", 0x30), y, y)
			t.VPOR(y, x, x)
			t.VPSUBD(t.dwords("d32", 32), x, x)
			dword := x
			x = t.vec()
			t.VPSHUFB(t.dwords("twice", 0x01000100, 0x05040504, 0x09080908, 0x0d0c0d0c), dword, x)
			t.scale(i, func(once bool) reg.VecVirtual {
				if once {
					return dword
				}
				return x
			})
			if t.signed() {
				continue
			}
			z := t.vec()
			t.VPSLLW(U8(7), x, z)
			t.VPSUBW(z, zero, z)
			switch {
			case t.pairs() == 8:
				t.corr(i, z)
			case i%2 == 0:
				even = z
				t.VPSRLD(U8(16), z, z)
			default:
				t.VPSLLD(U8(16), z, z)
				t.VPOR(even, z, z)
				t.corr(i/2, z)
			}
		}
		level := t.levels(nl4)
		for i := range 8 {
			for j, x := range t.unit(8 + 16*i) {
				y := t.vec()
				t.split(x, y)
				level(x, 0)
				level(y, 0)
				t.code(x, 32*i+4*j)
				t.code(y, 32*i+16+4*j)
			}
		}
	},
}

// Levels with their bias: nl4 is NL4 + 128, fp4 is FP4 + 12.
var (
	nl4 = [16]byte{1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241}
	fp4 = [16]byte{12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0}
)

// nibbles stores 32 codes of 4 bits; f changes those of step s.
func (t *tiler) nibbles(off int, f func(x reg.VecVirtual, s int)) {
	for j, x := range t.unit(off) {
		y := t.vec()
		t.split(x, y)
		if f != nil {
			f(x, j)
			f(y, j+4)
		}
		t.code(x, 4*j)
		t.code(y, 4*j+16)
	}
}

// split leaves the low halves of bytes in x and sets y to the high ones.
func (t *tiler) split(x, y reg.VecVirtual) {
	low4 := t.hot("low4", 0x0f0f0f0f)
	t.VPSRLW(U8(4), x, y)
	t.VPAND(low4, x, x)
	t.VPAND(low4, y, y)
}

// levels replaces codes by what a table says.
func (t *tiler) levels(level [16]byte) func(x reg.VecVirtual, _ int) {
	var d [4]uint32
	for i, b := range level {
		if t.signed() {
			b -= 128
		}
		d[i/4] |= uint32(b) << (i % 4 * 8)
	}
	table := t.vec()
	name := "levels"
	if t.signed() {
		name = "signed"
	}
	t.VMOVDQU(t.dwords(name, d[:]...), table)
	return func(x reg.VecVirtual, _ int) { t.VPSHUFB(x, table, x) }
}

// fifth adds the bits of a word of each row, bit i for value i, as bit 4.
func (t *tiler) fifth(word reg.VecVirtual) func(x reg.VecVirtual, s int) {
	spread := func(i int) reg.VecVirtual { // byte i of the word four times
		n, y := uint32(i)*0x01010101, t.vec()
		t.VPSHUFB(t.dwords(fmt.Sprintf("byte%d", i), n, n+0x04040404, n+0x08080808, n+0x0c0c0c0c), word, y)
		return y
	}
	if t.evex {
		var spreads [4]reg.VecVirtual
		for i := range spreads {
			spreads[i] = spread(i)
		}
		return func(x reg.VecVirtual, s int) {
			k := t.K()
			t.VPTESTMB(t.hot(fmt.Sprintf("bit%d", s%2), 0x08040201<<(4*(s%2))), spreads[s/2], k)
			t.VPADDB(t.hot("sixteen", 0x10101010), x, k, x)
		}
	}
	return func(x reg.VecVirtual, s int) {
		y := spread(s / 2)
		if s%2 == 0 {
			t.VPSLLW(U8(4), y, y)
		}
		t.VPAND(t.dwords("top4", 0x80402010), y, y)
		t.VPMINUB(t.hot("sixteen", 0x10101010), y, y)
		t.or(x, y)
	}
}

// offsets stores scale and offset from two float16.
func (t *tiler) offsets(x reg.VecVirtual) {
	d, m := t.halfPairs(x)
	t.d(0, d)
	t.m(m)
}

// halfE8M0 returns kernels.halfE8M0 of dwords.
func (t *tiler) halfE8M0(e reg.VecVirtual) reg.VecVirtual {
	x := t.vec()
	t.VPSLLD(U8(23), e, x)
	t.VMULPS(t.dwords("half", 0x3f000000), x, x)
	t.VPMAXSD(t.dwords("least", 0x00200000), x, x) // of 0
	t.VPMINSD(t.dwords("most", 0x7f000000), x, x)  // of 255
	return x
}
