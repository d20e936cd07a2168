package main

import "github.com/mmcloughlin/avo/build"

func tileQ8_0(c *build.Context) {
	tile(c, "tileQ8_0", "tileQ8_0 turns 16 rows of q8_0 blocks into records of smallTile.", 34, smallSize, func(t *tiler) {
		t.store(t.halves(0), smallD)
		flip := t.dwords("flip", 0x80808080)
		for i := range 2 {
			for j, x := range t.unit(2 + 16*i) {
				t.VPXOR(flip, x, x)
				t.store(x, (4*i+j)*64)
			}
		}
	})
}
