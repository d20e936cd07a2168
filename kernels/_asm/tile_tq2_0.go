package main

import "github.com/mmcloughlin/avo/reg"

var tq2_0 = layout{
	name: "TQ2_0", format: "tq2_0", bytes: 66, values: 256, sub: 32, most: 2, bias: 1,
	block: func(t *tiler) {
		t.d(0, t.halves(64))
		t.ternary()
		t.twoBits(0)
	},
}

// ternary stores scales of 1 and the corrections for a bias of 1.
func (t *tiler) ternary() {
	x, y := t.vec(), t.vec()
	t.VMOVDQU(t.dwords("plus1", 0x10001), x)
	dword := t.vec()
	if t.evex && t.column != nil {
		t.VMOVDQU(t.dwords("plus", 1), dword)
	}
	for s := range 8 {
		t.scale(s, func(once bool) reg.VecVirtual {
			if once {
				return dword
			}
			return x
		})
	}
	t.VMOVDQU(t.dwords("minus", 0xffffffff), y)
	for i := range t.pairs() {
		t.corr(i, y)
	}
}
