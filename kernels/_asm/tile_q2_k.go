package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var q2K = layout{
	name: "Q2K", format: "q2_K", bytes: 84, values: 256, sub: 16, most: 3, min: true,
	block: func(t *tiler) {
		d, dmin := t.halfPairs(t.words(80))
		t.d(0, d)
		t.m(dmin)
		low4 := t.hot("low4", 0x0f0f0f0f)
		for i, x := range t.unit(0) {
			y := t.vec()
			t.VPAND(low4, x, y)
			for j := range 4 {
				t.scale(4*i+j, func(once bool) reg.VecVirtual { return t.spread(y, j, once) })
			}
			t.VPSRLW(U8(4), x, x)
			t.VPAND(low4, x, x)
			for j := range 2 {
				t.min(2*i+j, t.two(x, 2*j))
			}
		}
		t.twoBits(16)
	},
}

// twoBits stores 256 codes of 2 bits laid out as in q2_K.
func (t *tiler) twoBits(off int) {
	low2 := t.hot("low2", 0x03030303)
	for h := range 2 {
		for p := range 2 {
			for j, x := range t.unit(off + 32*h + 16*p) {
				for i := range 4 {
					t.code(t.bits(x, -2*i, low2), 128*h+32*i+16*p+4*j)
				}
			}
		}
	}
}
