package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowProduct is the product of 16 rows with one column for formats whose codes are
// looked up: row by row, as the points come, without making rows lanes. A vector has
// 16 or, with AVX2, eight partial sums of a row, each of 16 values. They wait in
// memory, and are then added for all rows at once.
type rowProduct struct {
	lookup
	src     reg.GPVirtual // the block of row 0
	stride  reg.GPVirtual
	ahead   reg.GPVirtual
	row     reg.GPVirtual // -16 to -1
	q, sums reg.GPVirtual // the block's activations
	base    reg.GPVirtual // room for the numbers of points and partial sums of a row, and what follows
	room    reg.GPVirtual // that of the row
	four    reg.GPVirtual // numbers of points
	acc     reg.VecVirtual
	factor  uint32              // of d
	high    []reg.OpmaskVirtual // bit 8 of points' numbers, where numbers lack it
	books   []reg.VecVirtual    // the codebook, where in registers
	x       [5]Op               // the activations in order, and their sums: dwords times the bias, or words
}

// Offsets in room.
const (
	recordSize = 128             // [2][32] words, the numbers of points, and then [8 or 16] dwords
	rowsD      = 16 * recordSize // [16] float16
	rowsX      = rowsD + 64      // [5][64]
)

// rowLoop runs body for the 16 rows.
func (p *rowProduct) rowLoop(e *expander, name string, body func()) {
	p.firstRow(e)
	e.Label(name)
	body()
	p.nextRow(e)
	e.JNZ(LabelRef(name))
}

func (p *rowProduct) firstRow(e *expander) {
	e.MOVQ(p.src, e.src)
	e.MOVQ(p.base, p.room)
	e.MOVQ(I32(-16), p.row)
}

// nextRow sets the flags of what p.row is then.
func (p *rowProduct) nextRow(e *expander) {
	e.ADDQ(p.stride, e.src)
	e.ADDQ(U32(recordSize), p.room)
	e.INCQ(p.row)
}

// takeD takes the float16 of a row.
func (p *rowProduct) takeD(c *build.Context, bits reg.GPVirtual, factor uint32) {
	p.factor = factor
	c.MOVW(bits.As16(), Mem{Base: p.base, Index: p.row, Scale: 2, Disp: rowsD + 32})
}

// partial is the operand of the sums of a row.
func (p *rowProduct) partial(row int) Mem { return mem(p.base, row*recordSize) }

// step adds to the products what the block gives.
func (p *rowProduct) step(e *expander, dst, d reg.GPVirtual) {
	if e.evex {
		p.stepAVX512(e, dst, d)
		return
	}
	for h := range 2 { // eight rows
		var four [2]reg.VecVirtual // rows, once for each half of the partial sums
		for k := range four {
			var two [2]reg.VecVirtual
			for j := range two {
				x := e.YMM()
				e.VMOVDQU(p.partial(8*h+4*k+2*j), x)
				e.VPHADDD(p.partial(8*h+4*k+2*j+1), x, x)
				two[j] = x
			}
			e.VPHADDD(two[1], two[0], two[0])
			four[k] = two[0]
		}
		x, y, z := e.YMM(), e.YMM(), e.YMM()
		e.VPERM2I128(U8(0x20), four[1], four[0], x)
		e.VPERM2I128(U8(0x31), four[1], four[0], y)
		e.VPADDD(y, x, x)
		e.VCVTDQ2PS(x, x)
		e.VCVTPH2PS(mem(p.base, rowsD+16*h), y)
		if p.factor != one {
			e.VMULPS(e.dwords(fmt.Sprintf("f%x", p.factor), p.factor), y, y)
		}
		e.VBROADCASTSS(mem(d, 0), z)
		e.VMULPS(z, y, y)
		e.VMOVUPS(mem(dst, 32*h), z)
		e.VFMADD231PS(y, x, z)
		e.VMOVUPS(z, mem(dst, 32*h))
	}
}

func (p *rowProduct) stepAVX512(e *expander, dst, d reg.GPVirtual) {
	// sum adds the two halves of x's and y's lanes that pick chooses.
	sum := func(x, y reg.VecVirtual, pick func(a, b Op, first bool, out Op)) reg.VecVirtual {
		a, b := e.ZMM(), e.ZMM()
		pick(y, x, true, a)
		pick(y, x, false, b)
		e.VPADDD(b, a, a)
		return a
	}
	dwords := func(a, b Op, first bool, out Op) {
		if first {
			e.VPUNPCKLDQ(a, b, out)
		} else {
			e.VPUNPCKHDQ(a, b, out)
		}
	}
	qwords := func(a, b Op, first bool, out Op) {
		if first {
			e.VPUNPCKLQDQ(a, b, out)
		} else {
			e.VPUNPCKHQDQ(a, b, out)
		}
	}
	quarters := func(a, b Op, first bool, out Op) {
		if first {
			e.VSHUFI32X4(U8(0x88), a, b, out)
		} else {
			e.VSHUFI32X4(U8(0xdd), a, b, out)
		}
	}
	var four [4]reg.VecVirtual // rows each, in each quarter
	for k := range four {
		var row [4]reg.VecVirtual
		for j := range row {
			row[j] = e.ZMM()
			e.VMOVDQU64(p.partial(4*k+j), row[j])
		}
		four[k] = sum(sum(row[0], row[1], dwords), sum(row[2], row[3], dwords), qwords)
	}
	x := sum(sum(four[0], four[1], quarters), sum(four[2], four[3], quarters), quarters)
	e.VCVTDQ2PS(x, x)
	y, z := e.ZMM(), e.ZMM()
	e.VCVTPH2PS(mem(p.base, rowsD), y)
	if p.factor != one {
		e.VMULPS(e.words64(fmt.Sprintf("w%x", p.factor), p.factor), y, y)
	}
	e.VMULPS_BCST(mem(d, 0), y, y)
	e.VMOVUPS(mem(dst, 0), z)
	e.VFMADD231PS(y, x, z)
	e.VMOVUPS(z, mem(dst, 0))
}

// prefetch asks for a row's share of the cache lines ahead.
func (p *rowProduct) prefetch(e *expander) {
	e.PREFETCHT1(mem(p.ahead, 0))
	if p.bytes > 64 {
		e.PREFETCHT1(mem(p.ahead, 64))
	}
	e.ADDQ(U32(uint32(p.bytes)), p.ahead)
}

// dotRows writes the functions dot<name>AVX2 and dot<name>AVX512.
func (l lookup) dotRows(c *build.Context) {
	data := map[string]Mem{}
	for _, evex := range []bool{false, true} {
		dry := l.product(build.NewContext(), map[string]Mem{}, evex, nil)
		l.product(c, data, evex, dry.wanted)
	}
}

// product writes a function.
func (l lookup) product(c *build.Context, data map[string]Mem, evex bool, hold []constant) *expander {
	name := "dot" + l.name + "AVX2"
	if evex {
		name = "dot" + l.name + "AVX512"
	}
	function(c, name, fmt.Sprintf("%s sets dst to the products of 16 rows of %s blocks with one column. It asks for the cache lines that many bytes ahead.", name, l.format),
		"dst *float32, src *byte, stride, blocks, ahead int, q *int8, d *float32, sums *int16, grid, room *byte")
	p := &rowProduct{lookup: l, src: c.GP64(), stride: c.GP64(), ahead: c.GP64(), row: c.GP64(), q: c.GP64(), sums: c.GP64(), base: c.GP64(), room: c.GP64(), four: c.GP64()}
	e := &expander{tiler: tiler{Context: c, data: data, evex: evex, wide: evex}, src: c.GP64(), grid: c.GP64(), tmp: c.GP64(), product: p}
	e.room = mem(p.room, 0)
	dst, n, d := c.GP64(), c.GP64(), c.GP64()
	e.holdAll(hold)
	for _, arg := range []struct {
		name string
		r    reg.GPVirtual
	}{
		{"dst", dst}, {"src", p.src}, {"stride", p.stride}, {"blocks", n}, {"ahead", p.ahead}, {"q", p.q}, {"d", d},
		{"sums", p.sums}, {"grid", e.grid}, {"room", p.base},
	} {
		c.Load(c.Param(arg.name), arg.r)
	}
	c.ADDQ(p.src, p.ahead)
	x := c.YMM()
	e.VPXOR(x, x, x)
	c.VMOVUPS(x, mem(dst, 0))
	c.VMOVUPS(x, mem(dst, 32))
	p.loadBooks(e)
	c.Label("block")
	if p.inMemory(e) {
		p.rowLoop(e, "numbers", func() {
			e.parts(func() {
				for i, x := range p.permuted.numbers(e) {
					e.VMOVDQU(x, e.its(e.at(64*i)))
				}
			})
		})
	}
	p.columns(e) // between the stores of numbers and their loads
	p.products(e)
	p.step(e, dst, d)
	c.ADDQ(U32(uint32(l.bytes)), p.src)
	c.ADDQ(U32(256), p.q)
	c.ADDQ(U8(4), d)
	c.ADDQ(U8(32), p.sums)
	c.DECQ(n)
	c.JNZ(LabelRef("block"))
	c.VZEROUPPER()
	c.RET()
	return e
}

// products stores the partial sums of all rows. Points from memory are looked up one
// step before they are met, lest they keep the core waiting (iq1_s: 5 %).
func (p *rowProduct) products(e *expander) {
	if !p.inMemory(e) {
		p.rowLoop(e, "points", func() {
			p.prefetch(e)
			p.permuted.d(e)
			p.permuted.points(e, p.permute(e))
			e.VMOVDQU(p.acc, e.at(0))
		})
		return
	}
	// row returns the next row's points.
	row := func(x []reg.VecVirtual, more bool) []reg.VecVirtual {
		p.prefetch(e)
		p.permuted.d(e)
		var sum reg.VecVirtual
		e.parts(func() {
			next := x
			switch {
			case e.part+1 < e.vectors():
				next = p.collect(e, e.part+1, 0)
			case more:
				next = p.collect(e, 0, recordSize)
			}
			p.permuted.points(e, x)
			if x = next; e.part == 0 {
				sum = p.acc
			} else {
				e.VPADDD(p.acc, sum, sum)
			}
		})
		e.VMOVDQU(sum, e.at(0))
		return x
	}
	p.firstRow(e)
	x := p.collect(e, 0, 0)
	e.Label("points")
	for i, next := range row(x, true) {
		e.VMOVDQU(next, x[i])
	}
	p.nextRow(e)
	e.CMPQ(p.row, I8(-1))
	e.JNE(LabelRef("points"))
	row(x, false)
}

// parts calls f for each vector of 64 bytes.
func (e *expander) parts(f func()) {
	for e.part = 0; e.part < e.vectors(); e.part++ {
		f()
	}
	e.part = 0
}

// vectors counts those of 64 bytes.
func (e *expander) vectors() int { return 64 / e.width() }

// width is that of a vector, in bytes.
func (e *expander) width() int {
	if e.evex {
		return 64
	}
	return 32
}

// its is the part's share of 64 bytes at m.
func (e *expander) its(m Mem) Mem { return m.Offset(e.width() * e.part) }

// half is the part's share of 32 bytes at byte off of the block.
func (e *expander) half(off int) Mem { return e.in(off + e.width()/2*e.part) }

// wide is the part's share of 64 bytes of data: in a register with AVX-512, which
// has enough of them. Loads of 64 bytes go one a cycle on Zen 4.
func (e *expander) wide(name string, d ...uint32) Op {
	if !e.evex {
		return e.its(e.words64(name, d...))
	}
	if x, ok := e.held[name]; ok {
		return x
	}
	e.wanted = append(e.wanted, constant{name, d})
	return e.ZMM() // of a first run that only counts
}

// rare is wide for what stays in memory beside a codebook in registers.
func (e *expander) rare(name string, d ...uint32) Op {
	if e.product.inMemory(e) {
		return e.wide(name, d...)
	}
	return e.words64(name, d...)
}

// near is data of 32 bytes, repeated, in a register.
func (e *expander) near(name string, d ...uint32) Op {
	if e.evex {
		return e.wide(name, d...)
	}
	op := e.hot(name, d...)
	if _, ok := op.(Mem); ok {
		return e.YMM() // of a first run
	}
	return op
}

// holdAll is hold for constants of either width.
func (e *expander) holdAll(wanted []constant) {
	if !e.evex {
		e.hold(wanted)
		return
	}
	e.held = map[string]reg.VecVirtual{}
	for _, k := range wanted {
		if _, ok := e.held[k.name]; !ok {
			x := e.ZMM()
			e.VMOVDQU64(e.words64(k.name, k.d...), x)
			e.held[k.name] = x
		}
	}
}

// among sets x to x&mask | y.
func (e *expander) among(x reg.VecVirtual, mask, y Op) {
	if e.evex {
		e.VPTERNLOGD(U8(0xea), y, mask, x)
		return
	}
	e.VPAND(mask, x, x)
	e.VPOR(y, x, x)
}
