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
				y := t.vec()
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
		u := t.vec()
		t.VPSRLD(U8(2), hi, u)
		t.VPAND(two, u, u)
		t.VPAND(four, lo, lo)
		t.VPOR(u, lo, lo)
	}
	w := t.vec()
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
		t.scale(s, func(once bool) reg.VecVirtual { return t.spread(scale, s%4, once) })
		switch {
		case t.pairs() == 8:
			t.min(s, t.spread(mins, s%4, false))
		case s%2 == 0:
			t.min(s/2, t.two(mins, s%4))
		}
	}
}

// two returns bytes j and j+1 of each dword in its halves.
func (t *tiler) two(x reg.VecVirtual, j int) reg.VecVirtual {
	n, y := 0x80018000+0x10001*uint32(j), t.vec()
	t.VPSHUFB(t.dwords(fmt.Sprintf("two%d", j), n, n+0x40004, n+0x80008, n+0xc000c), x, y)
	return y
}

// spread returns byte j of each dword in both its halves, or once.
func (t *tiler) spread(x reg.VecVirtual, j int, once bool) reg.VecVirtual {
	name, n, step := "pair", 0x80008000+0x10001*uint32(j), uint32(0x40004)
	if once {
		name, n, step = "once", 0x80808000+uint32(j), 4
	}
	y := t.vec()
	t.VPSHUFB(t.dwords(fmt.Sprintf("%s%d", name, j), n, n+step, n+2*step, n+3*step), x, y)
	return y
}
