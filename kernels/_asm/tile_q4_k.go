package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var q4K = layout{
	name: "Q4K", format: "q4_K", bytes: 144, values: 256, sub: 32, most: 15, min: true,
	block: func(t *tiler) {
		t.header()
		low4 := t.hot("low4", 0x0f0f0f0f)
		for i := range 8 {
			for j, x := range t.unit(16 + 16*i) {
				v := i/2*64 + i%2*16 + 4*j
				y := t.YMM()
				t.VPAND(low4, x, y)
				t.code(y, v)
				t.VPSRLW(U8(4), x, x)
				t.VPAND(low4, x, x)
				t.code(x, v+32)
			}
		}
	},
}

// header turns the first 16 bytes of a q4_K or q5_K block into D, DMin, scales and
// minima: the scalar code of Super.scales6 with a row in each lane.
func (t *tiler) header() {
	h := t.unit(0)
	d, dmin := t.halfPairs(h[0])
	t.d(0, d)
	t.m(dmin)
	x, y, z := h[1], h[2], h[3]
	six, four, two := t.dwords("six", 0x3f3f3f3f), t.hot("low4", 0x0f0f0f0f), t.dwords("two", 0x30303030)
	high := func(hi, lo reg.VecVirtual) { // lo = lo&four | hi>>2&two
		u := t.YMM()
		t.VPSRLD(U8(2), hi, u)
		t.VPAND(two, u, u)
		t.VPAND(four, lo, lo)
		t.VPOR(u, lo, lo)
	}
	w := t.YMM()
	t.VPSRLD(U8(4), z, w)
	high(x, z)
	high(y, w)
	t.VPAND(six, x, x)
	t.VPAND(six, y, y)
	for s := range 8 {
		scale, mins := x, y
		if s >= 4 {
			scale, mins = z, w
		}
		j := uint32(s % 4)
		pair := t.dwords(fmt.Sprintf("pair%d", j), 0x80008000+0x10001*j, 0x80048004+0x10001*j, 0x80088008+0x10001*j, 0x800c800c+0x10001*j)
		shuffle := func(x reg.VecVirtual) reg.VecVirtual {
			u := t.YMM()
			t.VPSHUFB(pair, x, u)
			return u
		}
		t.scale(s, func() reg.VecVirtual { return shuffle(scale) })
		t.min(s, shuffle(mins))
	}
}
