package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

func tileQ3K(c *build.Context) {
	tile(c, "tileQ3K", "tileQ3K turns 16 rows of q3_K blocks into records of superTile.", 110, superSize, func(t *tiler) {
		t.store(t.halves(108), superD)
		low4, mid2 := t.dwords("low4", 0x0f0f0f0f), t.dwords("mid2", 0x30303030)
		x := t.unit(92) // 4 bytes of codes, 12 of scales
		var s [4]reg.VecVirtual
		for j := range s {
			s[j] = t.bits(x[1+j%2], -4*(j/2), low4)
			t.or(s[j], t.bits(x[3], 4-2*j, mid2))
			t.VPSUBB(t.dwords("c32", 0x20202020), s[j], s[j])
		}
		t.scales(s, 2)

		low2, bit2 := t.dwords("low2", 0x03030303), t.dwords("bit2", 0x04040404)
		for p := range 2 {
			high := t.unit(16 * p)
			for h := range 2 {
				for j, x := range t.unit(32 + 32*h + 16*p) {
					for i := range 4 {
						y := t.bits(x, -2*i, low2)
						t.or(y, t.bits(high[j], 2-4*h-i, bit2))
						t.store(y, (4*h+i)*groupSize+(4*p+j)*64)
					}
				}
			}
		}
	})
}
