package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func tileQ4K(c *build.Context) {
	tile(c, "tileQ4K", "tileQ4K turns 16 rows of q4_K blocks into records of superTile.", 144, superSize, func(t *tiler) {
		t.header()
		low4 := t.dwords("low4", 0x0f0f0f0f)
		for i := range 8 {
			for j, x := range t.unit(16 + 16*i) {
				at := i/2*2*groupSize + (i%2*4+j)*64
				y := t.YMM()
				t.VPAND(low4, x, y)
				t.store(y, at)
				t.VPSRLW(U8(4), x, x)
				t.VPAND(low4, x, x)
				t.store(x, at+groupSize)
			}
		}
	})
}

// header turns the first 16 bytes of a q4_K or q5_K block into D, DMin, scales and
// minima: the scalar code of Super.scales6 with a row in each lane.
func (t *tiler) header() {
	h := t.unit(0)
	d, dmin := t.halfPairs(h[0])
	t.store(d, superD)
	t.store(dmin, superDMin)
	x, y, z := h[1], h[2], h[3]
	six, four, two := t.dwords("six", 0x3f3f3f3f), t.dwords("low4", 0x0f0f0f0f), t.dwords("two", 0x30303030)
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
		u := t.YMM()
		t.VPSHUFB(pair, scale, u)
		t.store(u, s*groupSize+groupScale)
		t.VPSHUFB(pair, mins, u)
		t.store(u, superMin+64*s)
	}
}
