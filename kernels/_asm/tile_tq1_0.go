package main

import "github.com/mmcloughlin/avo/reg"

var tq1_0 = layout{
	name: "TQ1_0", format: "tq1_0", bytes: 54, values: 256, sub: 32, most: 2, bias: 1,
	block: func(t *tiler) {
		t.d(0, t.halves(52))
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
	},
}

// digits stores n ternary digits of each byte, the i-th at value at(i). A digit is
// the carry of 3*x, counted by comparing with 256/3 and 512/3.
func (t *tiler) digits(x reg.VecVirtual, n int, at func(i int) int) {
	for i := range n {
		y, z := t.vec(), t.vec()
		t.VPSUBUSB(t.dwords("third", 0x55555555), x, y) // 85
		t.VPMINUB(t.hot("b1", 0x01010101), y, y)
		t.VPSUBUSB(t.dwords("thirds", 0xaaaaaaaa), x, z) // 170
		t.VPMINUB(t.hot("b1", 0x01010101), z, z)
		t.VPADDB(y, z, y)
		t.code(y, at(i))
		if i < n-1 {
			t.VPADDB(x, x, z)
			t.VPADDB(z, x, x)
		}
	}
}
