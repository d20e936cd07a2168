package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var q6K = layout{
	name: "Q6K", format: "q6_K", bytes: 210, values: 256, sub: 16, most: 63, bias: 32, row: &q6KRow,
	block: func(t *tiler) {
		t.d(0, t.halves(208))
		t.int8Scales(t.unit(192), 5)
		low4, mid2 := t.hot("low4", 0x0f0f0f0f), t.hot("mid2", 0x30303030)
		for h := range 2 {
			for p := range 2 {
				high := t.unit(128 + 32*h + 16*p)
				for i := range 2 {
					for j, x := range t.unit(64*h + 32*i + 16*p) {
						v := 128*h + 32*i + 16*p + 4*j
						y := t.vec()
						t.VPAND(low4, x, y)
						t.or(y, t.bits(high[j], 4-2*i, mid2))
						t.code(y, v)
						t.VPSRLW(U8(4), x, x)
						t.VPAND(low4, x, x)
						t.or(x, t.bits(high[j], -2*i, mid2))
						t.code(x, v+64)
					}
				}
			}
		}
	},
}

// int8Scales takes 16 scales, bytes of four registers, and makes the corrections for a bias
// of 1<<shift.
func (t *tiler) int8Scales(s [4]reg.VecVirtual, shift int) {
	zero := t.vec()
	t.VPXOR(zero, zero, zero)
	for i, s := range s {
		for j := range 4 {
			t.scale(4*i+j, func(once bool) reg.VecVirtual {
				n := uint32(j)
				x := t.vec()
				switch {
				case once && t.layout.words(): // with zeros above
					t.VPSHUFB(t.dwords(fmt.Sprintf("once%d", j), 0x80800080+0x100*n, 0x80800480+0x100*n, 0x80800880+0x100*n, 0x80800c80+0x100*n), s, x)
					t.VPSRAW(U8(8), x, x)
					return x
				case once:
					t.VPSHUFB(t.dwords(fmt.Sprintf("once%d", j), 0x00808080+0x1000000*n, 0x04808080+0x1000000*n, 0x08808080+0x1000000*n, 0x0c808080+0x1000000*n), s, x)
					t.VPSRAD(U8(24), x, x)
					return x
				}
				t.VPSHUFB(t.dwords(fmt.Sprintf("top%d", j), 0x00800080+0x1000100*n, 0x04800480+0x1000100*n, 0x08800880+0x1000100*n, 0x0c800c80+0x1000100*n), s, x)
				t.VPSRAW(U8(8), x, x)
				return x
			})
		}
		for j := range 2 {
			n := uint32(2 * j)
			x := t.vec()
			t.VPSHUFB(t.dwords(fmt.Sprintf("two%d", j), 0x01800080+0x1000100*n, 0x05800480+0x1000100*n, 0x09800880+0x1000100*n, 0x0d800c80+0x1000100*n), s, x)
			t.VPSRAW(U8(uint8(8-shift)), x, x)
			t.VPSUBW(x, zero, x)
			t.corr(2*i+j, x)
		}
	}
}
