package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var q5K = layout{
	name: "Q5K", format: "q5_K", bytes: 176, values: 256, sub: 32, most: 31, min: true,
	block: func(t *tiler) {
		t.header()
		low4, bit4 := t.hot("low4", 0x0f0f0f0f), t.hot("bit4", 0x10101010)
		for p := range 2 { // halves of the 32 bytes of fifth bits
			high := t.unit(16 + 16*p)
			for i := range 4 {
				for j, x := range t.unit(48 + 32*i + 16*p) {
					v := 64*i + 16*p + 4*j
					y := t.vec()
					t.VPAND(low4, x, y)
					t.or(y, t.bits(high[j], 4-2*i, bit4))
					t.code(y, v)
					t.VPSRLW(U8(4), x, x)
					t.VPAND(low4, x, x)
					t.or(x, t.bits(high[j], 3-2*i, bit4))
					t.code(x, v+32)
				}
			}
		}
	},
}

// bits returns x shifted to the left (right if negative), and masked.
func (t *tiler) bits(x reg.VecVirtual, left int, mask Op) reg.VecVirtual {
	y := t.vec()
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
