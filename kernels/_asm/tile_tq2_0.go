package main

import "github.com/mmcloughlin/avo/build"

func tileTQ2_0(c *build.Context) {
	tile(c, "tileTQ2_0", "tileTQ2_0 turns 16 rows of tq2_0 blocks into records of superTile.", 66, superSize, func(t *tiler) {
		t.store(t.halves(64), superD)
		t.ternary()
		t.twoBits(0)
	})
}

// ternary stores scales of 1 and the corrections for a bias of 1.
func (t *tiler) ternary() {
	x := t.YMM()
	t.VMOVDQU(t.dwords("plus1", 0x10001), x)
	for s := range 8 {
		t.store(x, s*groupSize+groupScale)
	}
	t.VMOVDQU(t.dwords("minus", 0xffffffff), x)
	for i := range 8 {
		t.store(x, superCorr+64*i)
	}
}
