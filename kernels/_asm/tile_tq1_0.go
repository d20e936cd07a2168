package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

func tileTQ1_0(c *build.Context) {
	tile(c, "tileTQ1_0", "tileTQ1_0 turns 16 rows of tq1_0 blocks into records of superTile.", 54, superSize, func(t *tiler) {
		t.store(t.halves(52), superD)
		t.ternary()
		for p := range 2 {
			for j, x := range t.unit(16 * p) {
				t.digits(x, 5, func(i int) int { return 32*i + 16*p + 4*j })
			}
		}
		for j, x := range t.unit(32) {
			t.digits(x, 5, func(i int) int { return 160 + 16*i + 4*j })
		}
		t.digits(t.words(48), 4, func(i int) int { return 240 + 4*i })
	})
}

// digits stores n ternary digits of each byte, the i-th at value at(i). A digit is
// the carry of 3*x, counted by comparing with 256/3 and 512/3.
func (t *tiler) digits(x reg.VecVirtual, n int, at func(i int) int) {
	for i := range n {
		y, z := t.YMM(), t.YMM()
		t.VPMAXUB(t.dwords("third", 0x56565656), x, y) // 86
		t.VPCMPEQB(y, x, y)
		t.VPMAXUB(t.dwords("thirds", 0xabababab), x, z) // 171
		t.VPCMPEQB(z, x, z)
		t.VPADDB(y, z, y)
		t.VPABSB(y, y)
		v := at(i)
		t.store(y, v/32*groupSize+v%32/4*64)
		if i < n-1 {
			t.VPADDB(x, x, z)
			t.VPADDB(z, x, x)
		}
	}
}
