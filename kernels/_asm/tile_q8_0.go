package main

var q8_0 = layout{
	name: "Q8_0", format: "q8_0", bytes: 34, values: 32, sub: 32, bias: 128, row: &q8_0Row,
	block: func(t *tiler) {
		t.d(0, t.halves(0))
		for i := range 2 {
			for j, x := range t.unit(2 + 16*i) {
				if !t.signed() {
					t.VPXOR(t.hot("flip", 0x80808080), x, x)
				}
				t.code(x, 16*i+4*j)
			}
		}
	},
}
