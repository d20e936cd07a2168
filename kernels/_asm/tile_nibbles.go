package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Blocks of 32 values whose byte l holds values l, in its low half, and l+16.

func tileQ4_0(c *build.Context) {
	tile(c, "tileQ4_0", "tileQ4_0 turns 16 rows of q4_0 blocks into records of smallTile.", 18, smallSize, func(t *tiler) {
		t.store(t.halves(0), smallD)
		t.nibbles(2, nil)
	})
}

func tileQ4_1(c *build.Context) {
	tile(c, "tileQ4_1", "tileQ4_1 turns 16 rows of q4_1 blocks into records of smallTile.", 20, smallSize, func(t *tiler) {
		t.offsets()
		t.nibbles(4, nil)
	})
}

func tileQ5_0(c *build.Context) {
	tile(c, "tileQ5_0", "tileQ5_0 turns 16 rows of q5_0 blocks into records of smallTile.", 22, smallSize, func(t *tiler) {
		t.store(t.halves(0), smallD)
		t.nibbles(6, t.fifth(2))
	})
}

func tileQ5_1(c *build.Context) {
	tile(c, "tileQ5_1", "tileQ5_1 turns 16 rows of q5_1 blocks into records of smallTile.", 24, smallSize, func(t *tiler) {
		t.offsets()
		t.nibbles(8, t.fifth(4))
	})
}

func tileIQ4NL(c *build.Context) {
	tile(c, "tileIQ4NL", "tileIQ4NL turns 16 rows of iq4_nl blocks into records of smallTile.", 18, smallSize, func(t *tiler) {
		t.store(t.halves(0), smallD)
		t.nibbles(2, t.levels(nl4))
	})
}

func tileMXFP4(c *build.Context) {
	tile(c, "tileMXFP4", "tileMXFP4 turns 16 rows of mxfp4 blocks into records of smallTile.", 17, smallSize, func(t *tiler) {
		x := t.words(0)
		t.VPAND(t.dwords("low8", 0xff), x, x)
		t.store(t.halfE8M0(x), smallD)
		t.nibbles(1, t.levels(fp4))
	})
}

func tileMXFP4Hub(c *build.Context) {
	tile(c, "tileMXFP4Hub", "tileMXFP4Hub turns 16 rows of blocks of mxfp4 codes as hub checkpoints hold them into records of smallTile, without their scales.", 16, smallSize, func(t *tiler) {
		level := t.levels(fp4)
		for j, x := range t.unit(0) {
			y := t.YMM()
			t.split(x, y)
			level(x, 0)
			level(y, 0)
			z := t.YMM()
			t.VPUNPCKHBW(y, x, z) // rows 2 and 3, eight values each
			t.VPUNPCKLBW(y, x, x)
			t.VSHUFPS(U8(0x88), z, x, y)
			t.store(y, 64*(2*j))
			t.VSHUFPS(U8(0xdd), z, x, y)
			t.store(y, 64*(2*j+1))
		}
	})
	tile(c, "tileE8M0", "tileE8M0 sets the scales of records of smallTile to halves of 16 rows of e8m0 scales.", 1, smallSize, func(t *tiler) {
		x, y := t.XMM(), t.YMM()
		t.VPXOR(x, x, x)
		for r := range 8 {
			t.VPINSRB(U8(uint8(r)), t.row(r, 0), x, x)
		}
		t.VPMOVZXBD(x, y)
		t.store(t.halfE8M0(y), smallD)
	})
}

func tileNVFP4(c *build.Context) {
	tile(c, "tileNVFP4", "tileNVFP4 turns 16 rows of nvfp4 blocks into twice as many records of smallTile.", 36, 2*smallSize, func(t *tiler) {
		scales := t.words(0)
		for s := range 4 { // half of an e4m3: its bits moved to a float32's place are 2**-120 times the value
			x, nan := t.YMM(), t.YMM()
			t.VPSLLD(U8(uint8(24-8*s)), scales, x)
			t.VPSLLD(U8(1), x, x)
			t.VPSRLD(U8(25), x, x)
			t.VPCMPEQD(t.dwords("top7", 0x7f), x, nan)
			t.VPSLLD(U8(20), x, x)
			t.VMULPS(t.dwords("scale", 0x7b000000), x, x) // 2**119
			t.VPOR(nan, x, x)
			t.store(x, s/2*smallSize+smallD+s%2*64)
		}
		level := t.levels(fp4)
		for i := range 2 {
			for j, x := range t.unit(4 + 16*i) {
				y := t.YMM()
				t.split(x, y)
				level(x, 0)
				level(y, 0)
				at := i*smallSize + (j/2*4+j%2)*64
				t.store(x, at)
				t.store(y, at+128)
			}
		}
	})
}

func tileIQ4XS(c *build.Context) {
	tile(c, "tileIQ4XS", "tileIQ4XS turns 16 rows of iq4_xs blocks into records of superTile.", 136, superSize, func(t *tiler) {
		h, low := t.words(0), t.words(4)
		high := t.YMM()
		t.VPSRLD(U8(16), h, high)
		d, _ := t.halfPairs(h)
		t.store(d, superD)
		for i := range 8 {
			x, y := t.YMM(), t.YMM()
			t.VPSRLD(U8(uint8(4*i)), low, x)
			t.VPAND(t.dwords("d4", 0x0f), x, x)
			t.VPSRLD(U8(uint8(2*i)), high, y)
			t.VPSLLD(U8(4), y, y)
			t.VPAND(t.dwords("d2", 0x30), y, y)
			t.VPOR(y, x, x)
			t.VPSUBD(t.dwords("d32", 32), x, x)
			t.VPSHUFB(t.dwords("twice", 0x01000100, 0x05040504, 0x09080908, 0x0d0c0d0c), x, x)
			t.store(x, i*groupSize+groupScale)
			t.store(x, i*groupSize+groupScale+64)
			t.VPSLLW(U8(7), x, x)
			t.VPSIGNW(t.dwords("minus", 0xffffffff), x, x)
			t.store(x, superCorr+64*i)
		}
		level := t.levels(nl4)
		for i := range 8 {
			for j, x := range t.unit(8 + 16*i) {
				y := t.YMM()
				t.split(x, y)
				level(x, 0)
				level(y, 0)
				t.store(x, i*groupSize+j*64)
				t.store(y, i*groupSize+j*64+256)
			}
		}
	})
}

// Levels with their bias: nl4 is NL4 + 128, fp4 is FP4 + 12.
var (
	nl4 = [16]byte{1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241}
	fp4 = [16]byte{12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0}
)

// nibbles stores 32 codes of 4 bits; f changes those of step s.
func (t *tiler) nibbles(off int, f func(x reg.VecVirtual, s int)) {
	for j, x := range t.unit(off) {
		y := t.YMM()
		t.split(x, y)
		if f != nil {
			f(x, j)
			f(y, j+4)
		}
		t.store(x, 64*j)
		t.store(y, 64*(j+4))
	}
}

// split leaves the low halves of bytes in x and sets y to the high ones.
func (t *tiler) split(x, y reg.VecVirtual) {
	low4 := t.dwords("low4", 0x0f0f0f0f)
	t.VPSRLW(U8(4), x, y)
	t.VPAND(low4, x, x)
	t.VPAND(low4, y, y)
}

// levels replaces codes by what a table says.
func (t *tiler) levels(level [16]byte) func(x reg.VecVirtual, _ int) {
	var d [4]uint32
	for i, b := range level {
		d[i/4] |= uint32(b) << (i % 4 * 8)
	}
	table := t.YMM()
	t.VMOVDQU(t.dwords("levels", d[:]...), table)
	return func(x reg.VecVirtual, _ int) { t.VPSHUFB(x, table, x) }
}

// fifth adds the bits of the word at byte off, bit i for value i, as bit 4.
func (t *tiler) fifth(off int) func(x reg.VecVirtual, s int) {
	word := t.words(off)
	return func(x reg.VecVirtual, s int) {
		n, y := uint32(s/2)*0x01010101, t.YMM()
		t.VPSHUFB(t.dwords(fmt.Sprintf("byte%d", s/2), n, n+0x04040404, n+0x08080808, n+0x0c0c0c0c), word, y)
		bit := t.dwords(fmt.Sprintf("bit%d", s%2), 0x08040201<<(4*(s%2)))
		t.VPAND(bit, y, y)
		t.VPCMPEQB(bit, y, y)
		t.VPAND(t.dwords("sixteen", 0x10101010), y, y)
		t.or(x, y)
	}
}

// offsets stores scale and offset from two float16.
func (t *tiler) offsets() {
	d, m := t.halfPairs(t.words(0))
	t.store(d, smallD)
	t.store(m, smallM)
}

// halfE8M0 returns kernels.halfE8M0 of eight dwords.
func (t *tiler) halfE8M0(e reg.VecVirtual) reg.VecVirtual {
	x, small, mask := t.YMM(), t.YMM(), t.YMM()
	t.VMOVDQU(t.dwords("two22", 0x00200000), small)
	t.VPSLLVD(e, small, small) // for 0 and 1
	t.VMOVDQU(t.dwords("d2", 2), mask)
	t.VPCMPGTD(e, mask, mask)
	t.VPADDD(t.dwords("dminus", 0xffffffff), e, x)
	t.VPSLLD(U8(23), x, x)
	t.VPBLENDVB(mask, small, x, x)
	return x
}
