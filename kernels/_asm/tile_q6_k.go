package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func tileQ6K(c *build.Context) {
	tile(c, "tileQ6K", "tileQ6K turns 16 rows of q6_K blocks into records of superTile.", 210, superSize, func(t *tiler) {
		t.store(t.halves(208), superD)
		t.scales(t.unit(192), 5)
		low4, mid2 := t.dwords("low4", 0x0f0f0f0f), t.dwords("mid2", 0x30303030)
		for h := range 2 {
			for p := range 2 {
				high := t.unit(128 + 32*h + 16*p)
				for i := range 2 {
					for j, x := range t.unit(64*h + 32*i + 16*p) {
						at := (4*h+i)*groupSize + (4*p+j)*64
						y := t.YMM()
						t.VPAND(low4, x, y)
						t.or(y, t.bits(high[j], 4-2*i, mid2))
						t.store(y, at)
						t.VPSRLW(U8(4), x, x)
						t.VPAND(low4, x, x)
						t.or(x, t.bits(high[j], -2*i, mid2))
						t.store(x, at+2*groupSize)
					}
				}
			}
		}
	})
}

// scales stores 16 scales, bytes of four registers, and the corrections for a bias
// of 1<<shift.
func (t *tiler) scales(s [4]reg.VecVirtual, shift int) {
	for i, s := range s {
		for j := range 4 {
			n := uint32(j)
			x := t.YMM()
			t.VPSHUFB(t.dwords(fmt.Sprintf("top%d", j), 0x00800080+0x1000100*n, 0x04800480+0x1000100*n, 0x08800880+0x1000100*n, 0x0c800c80+0x1000100*n), s, x)
			t.VPSRAW(U8(8), x, x)
			t.store(x, (2*i+j/2)*groupSize+groupScale+j%2*64)
		}
		for j := range 2 {
			n := uint32(2 * j)
			x := t.YMM()
			t.VPSHUFB(t.dwords(fmt.Sprintf("two%d", j), 0x01800080+0x1000100*n, 0x05800480+0x1000100*n, 0x09800880+0x1000100*n, 0x0d800c80+0x1000100*n), s, x)
			t.VPSRAW(U8(uint8(8-shift)), x, x)
			t.VPSIGNW(t.dwords("minus", 0xffffffff), x, x)
			t.store(x, superCorr+64*(2*i+j))
		}
	}
}
