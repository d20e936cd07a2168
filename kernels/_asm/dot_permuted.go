package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Codebooks of up to 512 points are looked up 32 at a time with AVX-512: a point is
// a word of 16 bits, and vpermi2w picks words from registers. A word's fields, one a
// coordinate, are not moved apart. They are met, where they are, by activations in
// their order, so that each dword of sums belongs to 16 values in a row, and one
// product with 16 scales ends the block. On Zen 4 this took iq2_xxs from 5.7 to 8.4
// GB/s, iq3_xxs from 5.3 to 10.2; with 1024 points loads one by one are faster
// (iq2_s 7.0 against 6.1).
//
// A field and a sign bit beside it choose one of 16 levels, made positive by
// adding a bias; what that adds is in the sums from the start.

// permuted is the codebook side of such a product.
type permuted struct {
	levels []int
	fields [4]field // of a byte of points, and of another where there are but two
	order  [16]byte // of 16 activations, to be met by the fields of four bytes each
	points int
	factor uint32            // of d
	row    func(e *expander) // emits the code for one block of one row
}

// field is where a coordinate and its sign lie in the index of a level.
type field struct {
	bits []int // lowest first
	sign int
}

func (f field) mask() (m uint32) {
	for _, b := range f.bits {
		m |= 0x01010101 << b
	}
	return m
}

// table returns the levels by index.
func (f field) table(levels []int) []uint32 {
	bias := levels[len(levels)-1]
	return bytes64(func(i int) byte {
		n := 0
		for j, b := range f.bits {
			n |= i % 16 >> b & 1 << j
		}
		switch {
		case n >= len(levels):
			return 0
		case i>>f.sign&1 != 0:
			return byte(bias - levels[n])
		}
		return byte(bias + levels[n])
	})
}

var (
	levels2 = []int{8, 25, 43}
	order2  = [16]byte{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15}
	// of a byte's bits, and of those moved down by 4
	fields2 = [4]field{{[]int{2, 3}, 0}, {[]int{2, 3}, 1}, {[]int{0, 1}, 2}, {[]int{0, 1}, 3}}

	order3  = [16]byte{0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15}
	fields3 = [4]field{{[]int{1, 2, 3}, 0}, {[]int{0, 2, 3}, 1}}
)

var permutedIQ2XXS = permuted{levels2, fields2, order2, 256, eighth, func(e *expander) {
	z, i, y, s := e.ZMM(), e.ZMM(), e.ZMM(), e.ZMM()
	e.VMOVDQU64(e.in(2), z)
	e.VPSHUFB(e.wide("numbers", words64(func(i int) uint16 { return 0x8000 | uint16(i%8/4*8+i%4) })...), z, i)
	e.VPSHUFB(e.wide("sevens", sevenBytes(4, 12)...), z, y)
	e.VPSHUFD(U8(0xf5), z, s)
	e.topScales(s)
	e.product.two(e, e.find(i), e.evenSigns(e.placed(y), 4, 0x0f0f0f0f), s)
}}

var permutedIQ2XS = permuted{levels2, fields2, order2, 512, eighth, func(e *expander) {
	z := e.ZMM()
	e.VMOVDQU64(e.in(2), z)
	s := e.nibbles64(66, func(i int) int { return i / 2 }, 1)
	e.product.two(e, e.find(z), e.evenSigns(z, 4, 0x0f0f0f0f), s)
}}

var permutedIQ3XXS = permuted{[]int{4, 12, 20, 28, 36, 44, 52, 62}, fields3, order3, 256, quarter, func(e *expander) {
	i, j := e.pairs(2)
	y, s := e.ZMM(), e.ZMM()
	e.VPMOVZXDQ(e.in(66), y)
	e.VPSHUFD(U8(0xa0), y, s)
	e.topScales(s)
	e.VPSHUFB(e.wide("sevens", sevenBytes(0, 8)...), y, y)
	signs := e.evenSigns(e.placed(y), 6, 0x33333333)
	e.product.three(e, e.find(i), e.find(j), signs, s)
}}

var permutedIQ3S = permuted{[]int{1, 3, 5, 7, 9, 11, 13, 15}, fields3, order3, 512, one, func(e *expander) {
	i, j := e.pairs(2)
	ki, kj := e.highBits(66)
	s := e.nibbles64(106, func(i int) int { return i / 4 }, 2)
	e.product.three(e, e.find(i, ki), e.find(j, kj), e.signs(74, 6, 0x33333333), s)
}}

// bytes64 and words64 list 64 bytes of data.
func bytes64(f func(i int) byte) []uint32 {
	d := make([]uint32, 16)
	for i := range 64 {
		d[i/4] |= uint32(f(i)) << (i % 4 * 8)
	}
	return d
}

func words64(f func(i int) uint16) []uint32 {
	return bytes64(func(i int) byte { return byte(f(i/2) >> (i % 2 * 8)) })
}

// sevenBytes picks the bytes in which four times 7 bits lie, of the dwords at bytes
// a and b of a quarter, for placed.
func sevenBytes(a, b int) []uint32 {
	return words64(func(i int) uint16 {
		first := uint16([2]int{a, b}[i%8/4] + max(0, i%4-1))
		return first | (first+1)<<8
	})
}

// placed moves them to the words' top.
func (e *expander) placed(y reg.VecVirtual) reg.VecVirtual {
	e.VPSLLVW(e.wide("place7", words64(func(i int) uint16 { return [4]uint16{9, 2, 3, 4}[i%4] })...), y, y)
	return y
}

// evenSigns completes the words' top 7 bits with the one that makes their number
// even, and spreads them.
func (e *expander) evenSigns(y reg.VecVirtual, shift uint8, mask uint32) reg.VecVirtual {
	x, z := e.ZMM(), e.ZMM()
	e.VPSRLW(U8(9), y, x)
	e.VPSRLW(U8(4), x, z)
	e.VPXORD(x, z, z)
	e.VPSHUFB(z, e.wide("parity", bytes64(func(i int) byte { return byte(uint16(0x6996)>>(i%16)&1) << 7 })...), z)
	e.VPORD(z, x, x)
	return e.spreadSigns(x, shift, mask)
}

// signs loads a byte of signs for each eight values and spreads them.
func (e *expander) signs(off int, shift uint8, mask uint32) reg.VecVirtual {
	x := e.ZMM()
	e.VPMOVZXBW(e.in(off), x)
	return e.spreadSigns(x, shift, mask)
}

// spreadSigns brings bits of the words' low bytes to where fields expect them.
func (e *expander) spreadSigns(x reg.VecVirtual, shift uint8, mask uint32) reg.VecVirtual {
	y := e.ZMM()
	e.VPSLLW(U8(shift), x, y)
	e.VPTERNLOGD(U8(0xa8), e.words64("signs", mask), y, x) // (x|y) & mask
	return x
}

// topScales sets dwords to 2s+1, s their top 4 bits.
func (e *expander) topScales(s reg.VecVirtual) {
	e.VPSRLD(U8(27), s, s)
	e.VPORD(e.words64("one32", 1), s, s)
}

// nibbles64 returns 16 dwords of 2s+1: value i's s is in byte at(i), and per values
// after another are low halves, then as many high ones.
func (e *expander) nibbles64(off int, at func(i int) int, per int) reg.VecVirtual {
	s := e.ZMM()
	if off+8 <= e.product.bytes {
		e.VPBROADCASTQ(e.in(off), s)
	} else {
		e.VPBROADCASTD(e.in(off), s)
	}
	e.VPSHUFB(e.words64("bytes1", bytes64(func(i int) byte {
		if i%4 != 1 {
			return 0x80
		}
		return byte(at(i / 4))
	})...), s, s)
	shift := make([]uint32, 16)
	for i := range shift {
		shift[i] = uint32(7 + i/per%2*4)
	}
	e.VPSRLVD(e.words64("halves", shift...), s, s)
	e.VPTERNLOGD(U8(0xea), e.words64("one32", 1), e.wide("scale", 0x1e), s) // s&0x1e | 1
	return s
}

// highBits returns masks of bits 2i and 2i+1 of the 64 at off.
func (e *expander) highBits(off int) (even, odd reg.OpmaskVirtual) {
	x := e.ZMM()
	e.VPBROADCASTQ(e.in(off), x)
	e.VPSHUFB(e.words64("high", words64(func(i int) uint16 { return 0x8000 | uint16(i/4) })...), x, x)
	even, odd = e.K(), e.K()
	e.VPTESTMW(e.words64("even", words64(func(i int) uint16 { return 1 << (2 * (i % 4)) })...), x, even)
	e.VPTESTMW(e.words64("odd", words64(func(i int) uint16 { return 2 << (2 * (i % 4)) })...), x, odd)
	return even, odd
}

// pairs returns the even ones and the odd ones of 64 bytes as words.
func (e *expander) pairs(off int) (even, odd reg.VecVirtual) {
	even, odd = e.ZMM(), e.ZMM()
	e.VMOVDQU64(e.in(off), even)
	e.VPSRLW(U8(8), even, odd)
	return even, odd // what else is in the words takes no part
}

// book returns the i-th 32 words of the codebook.
func (e *expander) book(i int) Op {
	if x := e.product.books[i]; x != nil {
		return x
	}
	return mem(e.grid, 64*i)
}

// find returns the points whose numbers have their low bits in the words of i, the
// high ones in masks.
func (e *expander) find(i reg.VecVirtual, high ...reg.OpmaskVirtual) reg.VecVirtual {
	n := e.product.permuted.points / 64
	found := make([]reg.VecVirtual, n)
	var bits []reg.OpmaskVirtual
	for b := 6; n>>(b-6) > 1<<len(high); b++ {
		k := e.K()
		e.VPTESTMW(e.words64(fmt.Sprintf("bit%d", b), words64(func(int) uint16 { return 1 << b })...), i, k)
		bits = append(bits, k)
	}
	bits = append(bits, high...)
	for p := range found {
		x := e.ZMM()
		e.VMOVDQA64(i, x)
		e.VPERMI2W(e.book(2*p+1), e.book(2*p), x)
		found[p] = x
		for level := 0; p>>level&1 == 1; level++ { // join with what came before
			before := found[p&^(1<<(level+1)-1)]
			e.VMOVDQU16(found[p>>level<<level], bits[level], before)
		}
	}
	return found[0]
}

// Offsets beyond the records.
const (
	permutedX     = 16 * recordSize // [4][64]: the activations in order
	permutedFirst = permutedX + 256 // [16] dwords: their sums times -bias
)

// columns stores the block's activations.
func (p *rowProduct) columns(e *expander) {
	var x [4]reg.VecVirtual
	for i := range x {
		x[i] = e.ZMM()
		e.VMOVDQU64(mem(p.q, 64*i), x[i])
		e.VPSHUFB(e.words64("order", bytes64(func(i int) byte { return p.permuted.order[i%16] })...), x[i], x[i])
	}
	a, b, c, d, index := e.ZMM(), e.ZMM(), e.ZMM(), e.ZMM(), e.ZMM()
	e.VPUNPCKLDQ(x[1], x[0], a)
	e.VPUNPCKHDQ(x[1], x[0], b)
	e.VPUNPCKLDQ(x[3], x[2], c)
	e.VPUNPCKHDQ(x[3], x[2], d)
	e.VPUNPCKLQDQ(c, a, x[0])
	e.VPUNPCKHQDQ(c, a, x[1])
	e.VPUNPCKLQDQ(d, b, x[2])
	e.VPUNPCKHQDQ(d, b, x[3])
	transposed := make([]uint32, 16)
	for i := range transposed {
		transposed[i] = uint32(4*(i%4) + i/4)
	}
	e.VMOVDQU64(e.words64("transposed", transposed...), index)
	for i := range x {
		e.VPERMD(x[i], index, x[i])
		e.VMOVDQU64(x[i], mem(p.room, permutedX+64*i))
	}
	e.VPMOVSXWD(mem(p.sums, 0), a)
	levels := p.permuted.levels
	e.VPMULLD(e.words64("bias", uint32(-levels[len(levels)-1])), a, a)
	e.VMOVDQU64(a, mem(p.room, permutedFirst))
}

// field adds the products of field f of the bytes of x with the i-th of the
// ordered activations.
func (p *rowProduct) field(e *expander, f int, x, signs reg.VecVirtual, i int) {
	fd := p.permuted.fields[f]
	y := e.ZMM()
	e.VMOVDQA64(x, y)
	e.VPTERNLOGD(U8(0xe2), signs, e.wide(fmt.Sprintf("mask%x", byte(fd.mask())), fd.mask()), y) // y&mask | signs&^mask
	e.VPSHUFB(y, e.wide(fmt.Sprintf("levels%d", f), fd.table(p.permuted.levels)...), y)
	e.VPDPBUSD(mem(p.base, permutedX+64*i), y, p.acc)
}

// two takes points of eight 2-bit coordinates, three points of four 3-bit ones.
func (p *rowProduct) two(e *expander, x, signs, scales reg.VecVirtual) {
	p.begin(e)
	y := e.ZMM()
	e.VPSRLW(U8(4), x, y)
	p.field(e, 0, x, signs, 0)
	p.field(e, 2, x, signs, 2)
	p.field(e, 1, y, signs, 1)
	p.field(e, 3, y, signs, 3)
	e.VPMULLD(scales, p.acc, p.acc)
}

func (p *rowProduct) three(e *expander, a, b, signs, scales reg.VecVirtual) {
	p.begin(e)
	for i, x := range []reg.VecVirtual{a, b} {
		y := e.ZMM()
		e.VPSRLW(U8(4), x, y)
		p.field(e, 0, x, signs, 2*i)
		p.field(e, 1, y, signs, 2*i+1)
		if i == 0 {
			e.VPSRLW(U8(4), signs, signs)
		}
	}
	e.VPMULLD(scales, p.acc, p.acc)
}

func (p *rowProduct) begin(e *expander) {
	p.acc = e.ZMM()
	e.VMOVDQU64(mem(p.base, permutedFirst), p.acc)
}

// dotPermuted writes the function dot<name>AVX512.
func (l lookup) dotPermuted(c *build.Context, data map[string]Mem, hold []constant) *expander {
	return l.product(c, data, true, hold, func(e *expander) {
		p := e.product
		p.books = make([]reg.VecVirtual, p.permuted.points/32)
		for i := range p.books { // of each pair what has to be in a register
			if p.permuted.points == 256 || i%2 == 0 {
				p.books[i] = e.ZMM()
				e.VMOVDQU64(mem(e.grid, 64*i), p.books[i])
			}
		}
	}, func(e *expander) {
		p := e.product
		p.columns(e)
		e.MOVQ(p.room, p.base)
		p.rowLoop(e, "row", func() {
			p.prefetch(e)
			e.loadD(0, p.permuted.factor)
			p.permuted.row(e)
			e.VMOVDQU64(p.acc, mem(p.room, recordPartial))
		})
	})
}
