package main

import "github.com/mmcloughlin/avo/reg"

var q3K = layout{
	name: "Q3K", format: "q3_K", bytes: 110, values: 256, sub: 16, most: 7, bias: 4,
	block: func(t *tiler) {
		t.d(0, t.halves(108))
		low4, mid2 := t.hot("low4", 0x0f0f0f0f), t.hot("mid2", 0x30303030)
		x := t.unit(92) // 4 bytes of codes, 12 of scales
		var s [4]reg.VecVirtual
		for j := range s {
			s[j] = t.bits(x[1+j%2], -4*(j/2), low4)
			t.or(s[j], t.bits(x[3], 4-2*j, mid2))
			t.VPSUBB(t.dwords("c32", 0x20202020), s[j], s[j])
		}
		t.int8Scales(s, 2)

		low2, bit2 := t.hot("low2", 0x03030303), t.hot("bit2", 0x04040404)
		for p := range 2 {
			high := t.later(t.unit(16 * p))
			for h := range 2 {
				for j, x := range t.unit(32 + 32*h + 16*p) {
					high := high(j)
					for i := range 4 {
						y := t.bits(x, -2*i, low2)
						t.or(y, t.bits(high, 2-4*h-i, bit2))
						t.code(y, 128*h+32*i+16*p+4*j)
					}
				}
			}
		}
	},
}
