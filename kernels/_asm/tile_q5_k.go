package main

import (
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func tileQ5K(c *build.Context) {
	tile(c, "tileQ5K", "tileQ5K turns 16 rows of q5_K blocks into records of superTile.", 176, superSize, func(t *tiler) {
		t.header()
		low4, bit4 := t.dwords("low4", 0x0f0f0f0f), t.dwords("bit4", 0x10101010)
		for p := range 2 { // halves of the 32 bytes of fifth bits
			high := t.unit(16 + 16*p)
			for i := range 4 {
				for j, x := range t.unit(48 + 32*i + 16*p) {
					at := 2*i*groupSize + (4*p+j)*64
					y := t.YMM()
					t.VPAND(low4, x, y)
					t.or(y, t.bits(high[j], 4-2*i, bit4))
					t.store(y, at)
					t.VPSRLW(U8(4), x, x)
					t.VPAND(low4, x, x)
					t.or(x, t.bits(high[j], 3-2*i, bit4))
					t.store(x, at+groupSize)
				}
			}
		}
	})
}

// bits returns x shifted to the left (right if negative), and masked.
func (t *tiler) bits(x reg.VecVirtual, left int, mask Mem) reg.VecVirtual {
	y := t.YMM()
	switch {
	case left > 0:
		t.VPSLLW(U8(uint8(left)), x, y)
	case left < 0:
		t.VPSRLW(U8(uint8(-left)), x, y)
	default:
		t.VPAND(mask, x, y)
		return y
	}
	t.VPAND(mask, y, y)
	return y
}

func (t *tiler) or(x, y reg.VecVirtual) { t.VPOR(y, x, x) }
