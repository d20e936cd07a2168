package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A codebook's point is a word of 16 bits here. Its fields, one a coordinate, are
// not moved apart. They are met, where they are, by activations in their order, so
// that each dword of sums belongs to 16 values in a row, and one product with 16
// scales ends the block.
//
// A field and a sign bit beside it choose one of 16 levels, made positive by
// adding a bias; what that adds is in the sums from the start.
//
// With AVX-512 up to 512 points are looked up 32 at a time in registers, by vpermi2w.
// More points, and all with AVX2, come from memory one by one. Their numbers are
// stored in a loop of their own: general loads of what a vector store has just
// written are not forwarded, and took the product from 7.5 to 3.1 GB/s (iq2_s).
//
// On Zen 4, with weights in the second cache and AVX-512, a block takes 30 cycles of
// iq1_s, iq1_m and iq2_xxs, 32 of iq2_s, 37 of iq3_xxs. Codebooks of bytes and masked
// broadcasts, without this order, took 44 of iq1_s and iq2_s. With AVX2 it is 37 of
// iq1_s, 45 of iq2_s, 48 of iq2_xxs, 67 of iq3_xxs.

// permuted is a format of such points.
type permuted struct {
	levels []int    // of a coordinate, or nil: -8, 0 and 8, and an offset
	fields [4]field // of a byte of points, and of another where there are but two
	order  [16]byte // of 16 activations, to be met by the fields of four bytes each
	size   int      // points in the codebook
	d      func(e *expander)
	// numbers returns the numbers of a part's points, words in one or two vectors.
	numbers func(e *expander) []reg.VecVirtual
	// points adds up the products of points.
	points func(e *expander, x []reg.VecVirtual)
}

// vectors counts those of a part's points.
func (p *permuted) vectors() int {
	if p.fields[2].bits == nil { // points of four coordinates
		return 2
	}
	return 1
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

// firstD is d in the block's first word, times a factor.
func firstD(factor uint32) func(e *expander) {
	return func(e *expander) { e.loadD(0, factor) }
}

var permutedIQ1S = permuted{nil, fields2, order2, 2048, firstD(eighth), func(e *expander) []reg.VecVirtual {
	x := e.groupWords()
	e.VPMULLW(e.wide("place", 64<<16|512, 1<<16|8), x, x)
	e.VPSRLW(U8(1), x, x)
	return e.withHigh(x, 2, 0x0700)
}, func(e *expander, x []reg.VecVirtual) {
	g, s := e.groupWords(), e.vec()
	e.VPSRLD(U8(27), g, s)
	e.among(s, e.wide("scale", 0xe), e.rare("one", 1))
	e.product.ternary(e, x[0], g, s)
}}

// groupWords returns the words of groups of 32 values, of iq1_s, for eight values each.
func (e *expander) groupWords() reg.VecVirtual {
	x := e.vec()
	e.VBROADCASTI128(e.in(34), x)
	e.VPSHUFB(e.wide("groups", words64(func(i int) uint16 { return uint16(i/4*2) | uint16(i/4*2+1)<<8 })...), x, x)
	return x
}

var permutedIQ1M = permuted{nil, fields2, order2, 2048, func(e *expander) {
	// The top 4 bits of four words become the top 16 of one.
	e.MOVQ(e.in(48), e.tmp)
	e.ANDQ(e.dwords("tops", 0xf000f000), e.tmp)
	e.IMULQ(e.dwords("gather", 1<<24|1<<12|1, 1<<4), e.tmp)
	e.SHRQ(U8(48), e.tmp)
	e.halfD(e.tmp, eighth)
}, func(e *expander) []reg.VecVirtual {
	x := e.spreadBytes(32, 2)
	e.VPMULLW(e.wide("place", 16<<16|256), x, x)
	return e.withHigh(x, 0, 0x0700)
}, func(e *expander, x []reg.VecVirtual) {
	h, s := e.spreadBytes(32, 2), e.vec()
	e.VPMULLW(e.wide("top", 256<<16|4096), h, h)
	e.VPBROADCASTQ(e.in(48), s)
	e.VPSHUFB(e.wide("fours", bytes64(func(i int) byte { return [4]byte{0x80, byte(i / 16 * 2), byte(i/16*2 + 1), 0x80}[i%4] })...), s, s)
	e.VPSRLVD(e.wide("threes", 7, 10, 13, 16), s, s)
	e.among(s, e.wide("scale", 0xe), e.rare("one", 1))
	e.product.ternary(e, x[0], h, s)
}}

var permutedIQ2XXS = permuted{levels2, fields2, order2, 256, firstD(eighth), func(e *expander) []reg.VecVirtual {
	x := e.vec()
	e.VMOVDQU(e.its(e.in(2)), x)
	e.VPSHUFB(e.rare("numbers", words64(func(i int) uint16 { return 0x8000 | uint16(i%8/4*8+i%4) })...), x, x)
	return []reg.VecVirtual{x}
}, func(e *expander, x []reg.VecVirtual) {
	y, s := e.vec(), e.vec()
	e.VMOVDQU(e.its(e.in(2)), y)
	e.VPSHUFD(U8(0xf5), y, s)
	e.topScales(s)
	e.VPSHUFB(e.rare("sevens", sevenBytes(4, 12)...), y, y)
	e.product.two(e, x[0], e.evenSigns(e.placed(y), 4, 0x0f0f0f0f), s)
}}

var permutedIQ2XS = permuted{levels2, fields2, order2, 512, firstD(eighth), func(e *expander) []reg.VecVirtual {
	x := e.vec()
	e.VMOVDQU(e.its(e.in(2)), x)
	if e.product.inMemory(e) {
		e.VPAND(e.wide("low9", 0x01ff01ff), x, x)
	}
	return []reg.VecVirtual{x}
}, func(e *expander, x []reg.VecVirtual) {
	y := e.vec()
	e.VMOVDQU(e.its(e.in(2)), y)
	s := e.nibbles(66, func(i int) int { return i / 2 }, 1)
	e.product.two(e, x[0], e.evenSigns(y, 4, 0x0f0f0f0f), s)
}}

var permutedIQ2S = permuted{levels2, fields2, order2, 1024, firstD(eighth), func(e *expander) []reg.VecVirtual {
	x := e.spreadBytes(66, 4)
	e.VPMULLW(e.wide("place", 64<<16|256, 4<<16|16), x, x)
	return e.withHigh(x, 2, 0x0300)
}, func(e *expander, x []reg.VecVirtual) {
	s := e.nibbles(74, func(i int) int { return i / 2 }, 1)
	e.product.two(e, x[0], e.signs(34, 4, 0x0f0f0f0f), s)
}}

var permutedIQ3XXS = permuted{[]int{4, 12, 20, 28, 36, 44, 52, 62}, fields3, order3, 256, firstD(quarter), func(e *expander) []reg.VecVirtual {
	return e.pairs(2)
}, func(e *expander, x []reg.VecVirtual) {
	y, s := e.vec(), e.vec()
	e.VPMOVZXDQ(e.half(66), y)
	e.VPSHUFD(U8(0xa0), y, s)
	e.topScales(s)
	e.VPSHUFB(e.rare("sevens", sevenBytes(0, 8)...), y, y)
	e.product.three(e, x, e.evenSigns(e.placed(y), 6, 0x33333333), s)
}}

var permutedIQ3S = permuted{[]int{1, 3, 5, 7, 9, 11, 13, 15}, fields3, order3, 512, firstD(one), func(e *expander) []reg.VecVirtual {
	high, n := e.spreadBytes(66, 4), e.pairs(2)
	for i, x := range n {
		if !e.product.inMemory(e) {
			k := e.K()
			e.VPTESTMW(e.rare(fmt.Sprintf("bits%d", i), uint32(4<<16|1)<<i, uint32(64<<16|16)<<i), high, k)
			e.product.high = append(e.product.high, k)
			continue
		}
		y := e.vec()
		e.VPMULLW(e.wide(fmt.Sprintf("place%d", i), uint32(64<<16|256)>>i, uint32(4<<16|16)>>i), high, y)
		e.VPAND(e.wide("bit8", 0x01000100), y, y)
		e.VPOR(y, x, x)
	}
	return n
}, func(e *expander, x []reg.VecVirtual) {
	s := e.nibbles(106, func(i int) int { return i / 4 }, 2)
	e.product.three(e, x, e.signs(74, 6, 0x33333333), s)
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

// spreadBytes returns the bytes at off as words, each for a few points.
func (e *expander) spreadBytes(off, points int) reg.VecVirtual {
	x := e.vec()
	if 32/points > 8 {
		e.VBROADCASTI128(e.in(off), x)
	} else {
		e.VPBROADCASTQ(e.in(off), x)
	}
	e.VPSHUFB(e.rare("bytes", words64(func(i int) uint16 { return 0x8000 | uint16(i/points) })...), x, x)
	return x
}

// withHigh returns numbers of high bits and the bytes at off.
func (e *expander) withHigh(high reg.VecVirtual, off int, mask uint32) []reg.VecVirtual {
	x := e.vec()
	e.VPMOVZXBW(e.half(off), x)
	e.among(high, e.wide("high", mask<<16|mask), x)
	return []reg.VecVirtual{high}
}

// pairs returns the even ones and the odd ones of 64 bytes as words.
func (e *expander) pairs(off int) []reg.VecVirtual {
	even, odd := e.vec(), e.vec()
	e.VMOVDQU(e.its(e.in(off)), even)
	e.VPSRLW(U8(8), even, odd)
	if e.product.inMemory(e) {
		e.VPAND(e.wide("low8", 0x00ff00ff), even, even)
	}
	return []reg.VecVirtual{even, odd}
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
	e.VPMULLW(e.wide("place7", 4<<16|512, 16<<16|8), y, y)
	return y
}

// evenSigns completes the words' top 7 bits with the one that makes their number
// even, and spreads them.
func (e *expander) evenSigns(y reg.VecVirtual, shift uint8, mask uint32) reg.VecVirtual {
	x, z := e.vec(), e.vec()
	e.VPSRLW(U8(9), y, x)
	e.VPSRLW(U8(4), x, z)
	e.VPXOR(x, z, z)
	parity := e.vec() // AVX2 has no register to keep it in
	e.VMOVDQU(e.wide("parity", bytes64(func(i int) byte { return byte(uint16(0x6996)>>(i%16)&1) << 7 })...), parity)
	e.VPSHUFB(z, parity, z)
	e.VPOR(z, x, x)
	return e.spreadSigns(x, shift, mask)
}

// signs loads a byte of signs for each eight values and spreads them.
func (e *expander) signs(off int, shift uint8, mask uint32) reg.VecVirtual {
	x := e.vec()
	e.VPMOVZXBW(e.half(off), x)
	return e.spreadSigns(x, shift, mask)
}

// spreadSigns brings bits of the words' low bytes to where fields expect them.
func (e *expander) spreadSigns(x reg.VecVirtual, shift uint8, mask uint32) reg.VecVirtual {
	y := e.vec()
	e.VPSLLW(U8(shift), x, y)
	if e.evex {
		e.VPTERNLOGD(U8(0xa8), e.rare("signs", mask), y, x) // (x|y) & mask
	} else {
		e.VPOR(y, x, x)
		e.VPAND(e.rare("signs", mask), x, x)
	}
	return x
}

// topScales sets dwords to 2s+1, s their top 4 bits.
func (e *expander) topScales(s reg.VecVirtual) {
	e.VPSRLD(U8(27), s, s)
	e.VPOR(e.rare("one", 1), s, s)
}

// nibbles returns dwords of 2s+1: value i's s is in byte at(i), and per values after
// another are low halves, then as many high ones.
func (e *expander) nibbles(off int, at func(i int) int, per int) reg.VecVirtual {
	s := e.vec()
	if off+8 <= e.product.bytes {
		e.VPBROADCASTQ(e.in(off), s)
	} else {
		e.VPBROADCASTD(e.in(off), s)
	}
	e.VPSHUFB(e.rare("scales", bytes64(func(i int) byte {
		if i%4 != 1 {
			return 0x80
		}
		return byte(at(i / 4))
	})...), s, s)
	shift := make([]uint32, 16)
	for i := range shift {
		shift[i] = uint32(7 + i/per%2*4)
	}
	e.VPSRLVD(e.rare("halves", shift...), s, s)
	e.among(s, e.wide("scale", 0x1e), e.rare("one", 1))
	return s
}
