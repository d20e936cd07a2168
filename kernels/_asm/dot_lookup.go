package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// inMemory reports whether points are looked up there.
func (p *rowProduct) inMemory(e *expander) bool { return !e.evex || p.permuted.size > 512 }

// collect returns a part's points from memory, by numbers off bytes beyond the row's.
// On Zen 4 a point costs 0.6 cycles, with four numbers in a load; with a load for
// each it was 0.9. Blends of 16 bytes, an operation less than vpinsrw, are no faster,
// as a fifth of their loads spans two cache lines. From a codebook of bytes, four
// times as large, a point of 2048 costs 1.5: it does not stay in the first cache.
func (p *rowProduct) collect(e *expander, part, off int) []reg.VecVirtual {
	points := make([]reg.VecVirtual, p.permuted.vectors())
	for v := range points {
		xmm := make([]reg.VecVirtual, e.width()/16)
		for i := range xmm {
			xmm[i] = p.collect8(e, e.at(off+64*v+e.width()*part+16*i))
		}
		points[v] = e.joined(xmm)
	}
	return points
}

// collect8 returns eight points.
func (p *rowProduct) collect8(e *expander, numbers Mem) reg.VecVirtual {
	x := e.XMM()
	for l := range 8 {
		n := e.tmp
		switch l % 4 {
		case 0:
			e.MOVQ(numbers.Offset(2*l), p.four)
			e.MOVWLZX(p.four.As16(), n.As32())
		case 1, 2:
			e.SHRQ(U8(16), p.four)
			e.MOVWLZX(p.four.As16(), n.As32())
		case 3:
			e.SHRQ(U8(16), p.four)
			n = p.four
		}
		point := Mem{Base: e.grid, Index: n, Scale: 2}
		if l == 0 {
			e.VPBROADCASTD(point, x.AsY()) // writes all of the register that joined reads
		} else {
			e.VPINSRW(U8(uint8(l)), point, x, x)
		}
	}
	return x
}

// joined returns two or four times 128 bits as one vector.
func (e *expander) joined(x []reg.VecVirtual) reg.VecVirtual {
	var y [2]reg.VecVirtual
	for i := range len(x) / 2 {
		y[i] = e.YMM()
		e.VINSERTI128(U8(1), x[2*i+1], x[2*i].AsY(), y[i])
	}
	if !e.evex {
		return y[0]
	}
	z := e.ZMM()
	e.VINSERTI64X4(U8(1), y[1], y[0].AsZ(), z)
	return z
}

// loadBooks loads the codebook into registers, or the half of it that has to be there.
func (p *rowProduct) loadBooks(e *expander) {
	if p.inMemory(e) {
		return
	}
	p.books = make([]reg.VecVirtual, p.permuted.size/32)
	for i := range p.books { // of each pair what has to be in a register
		if p.permuted.size == 256 || i%2 == 0 {
			p.books[i] = e.ZMM()
			e.VMOVDQU64(mem(e.grid, 64*i), p.books[i])
		}
	}
}

// book returns the i-th 32 words of the codebook.
func (p *rowProduct) book(e *expander, i int) Op {
	if x := p.books[i]; x != nil {
		return x
	}
	return mem(e.grid, 64*i)
}

// permute returns the points from registers.
func (p *rowProduct) permute(e *expander) []reg.VecVirtual {
	points := p.permuted.numbers(e)
	for i, n := range points {
		points[i] = p.permute32(e, n)
	}
	return points
}

// permute32 returns the points of the numbers i.
func (p *rowProduct) permute32(e *expander, i reg.VecVirtual) reg.VecVirtual {
	n := p.permuted.size / 64
	found := make([]reg.VecVirtual, n)
	var bits []reg.OpmaskVirtual
	for b := 6; n>>(b-6) > 1; b++ {
		if b == 8 && len(p.high) > 0 {
			bits, p.high = append(bits, p.high[0]), p.high[1:]
			break
		}
		k := e.K()
		e.VPTESTMW(e.words64(fmt.Sprintf("bit%d", b), 0x10001<<b), i, k)
		bits = append(bits, k)
	}
	for j := range found {
		x := e.ZMM()
		e.VMOVDQA64(i, x)
		e.VPERMI2W(p.book(e, 2*j+1), p.book(e, 2*j), x)
		found[j] = x
		for level := 0; j>>level&1 == 1; level++ { // join with what came before
			before := found[j&^(1<<(level+1)-1)]
			e.VMOVDQU16(found[j>>level<<level], bits[level], before)
		}
	}
	return found[0]
}

// columns takes up the block's activations in order, and what goes with them: into
// registers with AVX-512, but beside 512 points, which need the registers.
func (p *rowProduct) columns(e *expander) {
	var half [5][2]reg.VecVirtual
	for h := range 2 { // eight dwords of sums
		var x [4]reg.VecVirtual
		for i := range x {
			x[i] = e.YMM()
			e.VBROADCASTI128(mem(p.q, 128*h+16*i), x[i])
			e.VINSERTI128(U8(1), mem(p.q, 128*h+64+16*i), x[i], x[i])
		}
		first := e.YMM()
		if levels := p.permuted.levels; levels == nil {
			p.sums8(e, x, first)
		} else {
			e.VPMOVSXWD(mem(p.sums, 16*h), first)
			e.VPMULLD(e.dwords("bias", uint32(-levels[len(levels)-1])), first, first)
		}
		for _, x := range x {
			e.VPSHUFB(e.dwords("order", bytes64(func(i int) byte { return p.permuted.order[i%16] })[:8]...), x, x)
		}
		x = e.transpose(x)
		for i, y := range append(x[:], first) {
			half[i][h] = y
			if !e.evex {
				e.VMOVDQU(y, mem(p.base, rowsX+64*i+32*h))
			}
		}
	}
	for i, h := range half {
		p.x[i] = mem(p.base, rowsX+64*i)
		if e.evex {
			z := e.ZMM()
			e.VINSERTI64X4(U8(1), h[1], h[0].AsZ(), z)
			if p.permuted.size == 512 {
				e.VMOVDQU(z, p.x[i])
			} else {
				p.x[i] = z
			}
		}
	}
}

// sums8 sets s to the sums of eight activations each, as words.
func (p *rowProduct) sums8(e *expander, x [4]reg.VecVirtual, s reg.VecVirtual) {
	zero := e.YMM()
	e.VPXOR(zero, zero, zero)
	var sum [4]reg.VecVirtual
	for i := range x {
		sum[i] = e.YMM()
		e.VPXOR(e.dwords("top8", 0x80808080), x[i], sum[i]) // 128 more
		e.VPSADBW(zero, sum[i], sum[i])
	}
	e.VPACKSSDW(sum[1], sum[0], sum[0])
	e.VPACKSSDW(sum[3], sum[2], sum[2])
	e.VPACKSSDW(sum[2], sum[0], s)
	e.VPSUBW(e.dwords("sum8", 1024<<16|1024), s, s)
}

// its8 is the part's share of the i-th of the ordered activations.
func (p *rowProduct) its8(e *expander, i int) Op {
	if m, ok := p.x[i].(Mem); ok {
		return e.its(m)
	}
	return p.x[i]
}

// dot adds the products of codes with the i-th of the ordered activations.
func (p *rowProduct) dot(e *expander, y reg.VecVirtual, i int) {
	if e.evex {
		e.VPDPBUSD(p.its8(e, i), y, p.acc)
		return
	}
	e.VPMADDUBSW(p.its8(e, i), y, y)
	p.addPairs(e, y)
}

// addPairs adds words, with AVX2.
func (p *rowProduct) addPairs(e *expander, y reg.VecVirtual) {
	e.VPMADDWD(e.hot("ones16", 0x00010001), y, y)
	e.VPADDD(y, p.acc, p.acc)
}

// field adds the products of field f of the bytes of x with the i-th of the
// ordered activations. Of signs others has left what is not the field's.
func (p *rowProduct) field(e *expander, f int, x, signs reg.VecVirtual, i int) {
	fd := p.permuted.fields[f]
	y := e.vec()
	if e.evex {
		e.VMOVDQA64(x, y)
		e.VPTERNLOGD(U8(0xe2), signs, p.mask(e, f), y) // y&mask | signs&^mask
	} else {
		e.VPAND(p.mask(e, f), x, y)
		e.VPOR(signs, y, y)
	}
	e.VPSHUFB(y, e.near(fmt.Sprintf("levels%d", f), fd.table(p.permuted.levels)...), y)
	p.dot(e, y, i)
}

// mask is that of field f.
func (p *rowProduct) mask(e *expander, f int) Op {
	m := p.permuted.fields[f].mask()
	return e.near(fmt.Sprintf("mask%x", byte(m)), m)
}

// others returns signs without the bits of field f, with AVX2.
func (p *rowProduct) others(e *expander, f int, signs reg.VecVirtual) reg.VecVirtual {
	if e.evex {
		return signs
	}
	y := e.YMM()
	e.VPANDN(signs, p.mask(e, f), y)
	return y
}

// two takes points of eight 2-bit coordinates, three points of four 3-bit ones, and
// the scales of 16 values each.
func (p *rowProduct) two(e *expander, x, signs, scales reg.VecVirtual) {
	p.begin(e)
	y := e.vec()
	e.VPSRLW(U8(4), x, y)
	for f := 0; f < 4; f += 2 { // two fields with one mask
		others := p.others(e, f, signs)
		p.field(e, f, x, others, f)
		p.field(e, f+1, y, others, f+1)
	}
	e.VPMULLD(scales, p.acc, p.acc)
}

func (p *rowProduct) three(e *expander, points []reg.VecVirtual, signs, scales reg.VecVirtual) {
	p.begin(e)
	for i, x := range points {
		y := e.vec()
		e.VPSRLW(U8(4), x, y)
		p.field(e, 0, x, p.others(e, 0, signs), 2*i)
		p.field(e, 1, y, p.others(e, 1, signs), 2*i+1)
		if i == 0 {
			e.VPSRLW(U8(4), signs, signs)
		}
	}
	e.VPMULLD(scales, p.acc, p.acc)
}

// begin starts with what the bias adds.
func (p *rowProduct) begin(e *expander) {
	p.acc = e.vec()
	e.VMOVDQU(p.its8(e, 4), p.acc)
}

// ternary takes points of eight coordinates -8, 0 or 8 as 0 to 2. To each value it adds
// 1 or, where the words of sign are negative, -1.
func (p *rowProduct) ternary(e *expander, x, sign, scales reg.VecVirtual) {
	p.acc = e.vec()
	e.VPSRAW(U8(15), sign, sign)
	minus7, seven9 := e.near("minus7", 0xfff9fff9), e.near("seven9", 0x000e000e)
	if e.evex {
		e.VPTERNLOGD(U8(0x6a), minus7, seven9, sign) // sign&14 ^ -7
	} else {
		e.VPAND(seven9, sign, sign)
		e.VPXOR(minus7, sign, sign)
	}
	e.VPMADDWD(p.its8(e, 4), sign, p.acc)
	var sum reg.VecVirtual // of four products, for which words are enough
	for f, left := range [4]int{1, -3, 3, -1} {
		y := e.vec()
		if left > 0 {
			e.VPSLLW(U8(left), x, y)
		} else {
			e.VPSRLW(U8(-left), x, y)
		}
		e.VPAND(e.near("times8", 0x18181818), y, y)
		if e.evex {
			p.dot(e, y, f)
			continue
		}
		e.VPMADDUBSW(p.its8(e, f), y, y)
		if f == 0 {
			sum = y
		} else {
			e.VPADDW(y, sum, sum)
		}
	}
	if !e.evex {
		p.addPairs(e, sum)
	}
	e.VPMULLD(scales, p.acc, p.acc)
}
