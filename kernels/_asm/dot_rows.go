package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowProduct is the product of 16 rows with one column for formats whose codes are
// looked up: row by row, as the points come, without making rows lanes. What comes
// before the points (their numbers, signs and scales) is done for all rows first:
// loads of what has just been stored keep the core waiting. A row's partial sums of
// a block wait in memory too, and are then added all at once.
type rowProduct struct {
	lookup
	evex    bool
	src     reg.GPVirtual // the block of row 0
	stride  reg.GPVirtual
	ahead   reg.GPVirtual
	left    reg.GPVirtual // rows still to come
	q, sums reg.GPVirtual // the block's activations
	room    reg.GPVirtual // the row's record
	scales  reg.VecVirtual
	acc     reg.VecVirtual
	factor  uint32           // of d
	base    reg.GPVirtual    // permuted: the first row's record
	books   []reg.VecVirtual // permuted: the codebook, where in registers
	biases  reg.VecVirtual   // sums times -bias, as words
}

// Offsets within a row's record.
const (
	recordScale   = 128 // [16] words
	recordFirst   = 192 // [8] dwords: partial sums before the first point
	recordD       = 160 // float16
	recordPartial = 192 // [8 or 16] dwords, in place of the first
	recordSize    = 256
)

// rowLoop runs body for the 16 rows.
func (p *rowProduct) rowLoop(e *expander, name string, body func()) {
	e.MOVQ(p.src, e.src)
	e.MOVQ(U32(16), p.left)
	e.Label(name)
	body()
	e.ADDQ(p.stride, e.src)
	e.ADDQ(U32(recordSize), p.room)
	e.DECQ(p.left)
	e.JNZ(LabelRef(name))
	e.SUBQ(U32(16*recordSize), p.room)
}

func (p *rowProduct) takeD(c *build.Context, bits reg.GPVirtual, factor uint32) {
	p.factor = factor
	c.MOVL(bits.As32(), mem(p.room, recordD))
}

func (p *rowProduct) takeScales(e *expander, x reg.VecVirtual) {
	p.scales, p.acc = e.YMM(), e.YMM()
	e.VPMOVZXBW(x.AsX(), p.scales)
	e.VMOVDQU(p.scales, mem(p.room, recordScale))
	if p.bias != 0 {
		e.VPMADDWD(p.biases, p.scales, p.acc)
	}
}

// start takes up what was done before the points.
func (p *rowProduct) start(e *expander) {
	if p.evex {
		p.acc, p.scales = e.ZMM(), e.YMM()
		e.VMOVDQU(mem(p.room, recordScale), p.scales)
	} else {
		p.acc = e.YMM()
	}
	if p.bias != 0 {
		e.VMOVDQU(mem(p.room, recordFirst), p.acc.AsY())
	} else {
		e.VXORPS(p.acc.AsX(), p.acc.AsX(), p.acc.AsX())
	}
}

// offsets adds the offsets of codes, the same for 16 values: 1 or, where the words
// of x are -1, -1.
func (p *rowProduct) offsets(e *expander, x reg.VecVirtual) {
	e.VPOR(e.dwords("one16", 0x00010001), x, x)
	e.VPMULLW(p.scales, x, x)
	e.VPMADDWD(mem(p.sums, 0), x, x)
	e.VPADDD(x, p.acc, p.acc)
}

// codes adds the product of the g-th vector of biased codes.
func (p *rowProduct) codes(e *expander, g int, x reg.VecVirtual) {
	e.VPMADDUBSW(mem(p.q, e.lanes(1)*g), x, x)
	p.add(e, g, x)
}

// magnitudes adds the product of codes without their signs; y is -1 for negative
// ones. The activations take the signs over.
func (p *rowProduct) magnitudes(e *expander, g int, x, y reg.VecVirtual) {
	z := e.YMM()
	e.VPXOR(mem(p.q, 32*g), y, z)
	e.VPSUBB(y, z, z)
	e.VPMADDUBSW(z, x, z)
	p.add(e, g, z)
}

// masked is magnitudes with the signs as bits at m, with AVX-512.
func (p *rowProduct) masked(e *expander, g int, x reg.VecVirtual, m Mem) {
	k, y := e.K(), e.ZMM()
	e.KMOVQ(m, k)
	e.VMOVDQU64(mem(p.q, 64*g), y)
	e.VPSUBB(y, e.wide("zero", 0), k, y)
	e.VPMADDUBSW(y, x, y)
	p.add(e, g, y)
}

// add adds sums of two products each, times their scales.
func (p *rowProduct) add(e *expander, g int, x reg.VecVirtual) {
	if p.evex {
		var index [16]uint32
		for i := range index {
			s := uint32(4*g + i/4)
			if p.sub == 32 {
				s &^= 1
			}
			index[i] = s * 0x10001
		}
		s := e.ZMM()
		e.VPERMW(p.scales.AsZ(), e.wide(fmt.Sprintf("scales%d", g), index[:]...), s)
		e.VPDPWSSD(s, x, p.acc)
		return
	}
	s := e.YMM()
	e.VPBROADCASTD(mem(p.room, recordScale+4*g), s)
	if p.sub == 16 {
		e.VPSHUFB(e.hot("two", 0x01000100, 0x01000100, 0x01000100, 0x01000100, 0x03020302, 0x03020302, 0x03020302, 0x03020302), s, s)
	}
	e.VPMADDWD(s, x, x)
	e.VPADDD(x, p.acc, p.acc)
}

// step adds to the products what the block gives.
func (p *rowProduct) step(e *expander, dst, d reg.GPVirtual) {
	if p.evex {
		p.stepAVX512(e, dst, d)
		return
	}
	for h := range 2 { // eight rows
		part := func(r int) Mem { return mem(p.room, (8*h+r)*recordSize+recordPartial) }
		var four [2]reg.VecVirtual // rows, once for each half of the partial sums
		for k := range four {
			var two [2]reg.VecVirtual
			for j := range two {
				x := e.YMM()
				e.VMOVDQU(part(4*k+2*j), x)
				e.VPHADDD(part(4*k+2*j+1), x, x)
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
		e.VCVTPH2PS(p.ds(e, h), y)
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

// ds returns the float16 of eight rows.
func (p *rowProduct) ds(e *expander, h int) reg.VecVirtual {
	x := e.XMM()
	e.VPXOR(x, x, x)
	for r := range 8 {
		e.VPINSRW(U8(uint8(r)), mem(p.room, (8*h+r)*recordSize+recordD), x, x)
	}
	return x
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
			e.VMOVDQU64(mem(p.room, (4*k+j)*recordSize+recordPartial), row[j])
		}
		four[k] = sum(sum(row[0], row[1], dwords), sum(row[2], row[3], dwords), qwords)
	}
	x := sum(sum(four[0], four[1], quarters), sum(four[2], four[3], quarters), quarters)
	e.VCVTDQ2PS(x, x)
	y, z, h := e.ZMM(), e.ZMM(), e.YMM()
	e.VINSERTI128(U8(1), p.ds(e, 1), p.ds(e, 0).AsY(), h)
	e.VCVTPH2PS(h, y)
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
	for _, write := range []func(c *build.Context, data map[string]Mem, hold []constant) *expander{l.dotAVX2, l.dotAVX512} {
		dry := write(build.NewContext(), map[string]Mem{}, nil)
		write(c, data, dry.wanted)
	}
}

func (l lookup) dotAVX2(c *build.Context, data map[string]Mem, hold []constant) *expander {
	return l.product(c, data, false, hold, func(e *expander) {}, l.rows)
}

func (l lookup) dotAVX512(c *build.Context, data map[string]Mem, hold []constant) *expander {
	if l.permuted != nil {
		return l.dotPermuted(c, data, hold)
	}
	return l.product(c, data, true, hold, func(e *expander) {
		for r := 1; r < 4; r++ {
			e.lane[r] = c.K()
			c.MOVL(U32(1<<r), e.tmp.As32())
			c.KMOVD(e.tmp.As32(), e.lane[r])
		}
	}, l.rows)
}

// rows emits the code for one block of 16 rows, in two passes.
func (l lookup) rows(e *expander) {
	p := e.product
	if l.bias != 0 {
		p.biases = e.YMM()
		e.VMOVDQU(mem(p.sums, 0), p.biases)
		e.VPMULLW(e.dwords("bias", uint32(uint16(-l.bias))*0x10001), p.biases, p.biases)
	}
	p.rowLoop(e, "head", func() {
		l.head(e)
		if l.bias != 0 {
			e.VMOVDQU(p.acc, mem(p.room, recordFirst))
		}
	})
	p.rowLoop(e, "points", func() {
		p.prefetch(e)
		p.start(e)
		l.points(e)
		if p.evex {
			e.VMOVDQU64(p.acc, mem(p.room, recordPartial))
		} else {
			e.VMOVDQU(p.acc, mem(p.room, recordPartial))
		}
	})
}

// product writes a function: setup emits what comes before the loop over blocks,
// rows the code for one block of 16 rows.
func (l lookup) product(c *build.Context, data map[string]Mem, evex bool, hold []constant, setup, rows func(e *expander)) *expander {
	name := "dot" + l.name + "AVX2"
	if evex {
		name = "dot" + l.name + "AVX512"
	}
	function(c, name, fmt.Sprintf("%s sets dst to the products of 16 rows of %s blocks with one column. It asks for the cache lines that many bytes ahead.", name, l.format),
		"dst *float32, src *byte, stride, blocks, ahead int, q *int8, d *float32, sums *int16, grid, room *byte")
	p := &rowProduct{lookup: l, evex: evex, src: c.GP64(), stride: c.GP64(), ahead: c.GP64(), left: c.GP64(), q: c.GP64(), sums: c.GP64(), room: c.GP64(), base: c.GP64()}
	e := &expander{tiler: tiler{Context: c, data: data, evex: evex}, src: c.GP64(), grid: c.GP64(), tmp: c.GP64(), product: p}
	e.room = mem(p.room, 0)
	dst, n, d := c.GP64(), c.GP64(), c.GP64()
	e.holdAll(hold)
	for _, arg := range []struct {
		name string
		r    reg.GPVirtual
	}{
		{"dst", dst}, {"src", p.src}, {"stride", p.stride}, {"blocks", n}, {"ahead", p.ahead}, {"q", p.q}, {"d", d},
		{"sums", p.sums}, {"grid", e.grid}, {"room", p.room},
	} {
		c.Load(c.Param(arg.name), arg.r)
	}
	c.ADDQ(p.src, p.ahead)
	x := c.YMM()
	e.VPXOR(x, x, x)
	c.VMOVUPS(x, mem(dst, 0))
	c.VMOVUPS(x, mem(dst, 32))
	setup(e)
	c.Label("block")
	rows(e)
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
