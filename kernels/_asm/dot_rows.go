package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowProduct is the product of 16 rows with one column for formats whose codes are
// looked up: row by row, as the points come, without making rows lanes. A row's
// eight partial sums of a block wait in memory for those of the other rows, and
// are then added all at once.
type rowProduct struct {
	sub     int // values that share a scale
	bias    int // of codes
	q, i    reg.GPVirtual
	acc     reg.VecVirtual
	factor  uint32 // of d
	scale   Mem    // [16] words
	sums    Mem    // [16] words: the activations' times -bias
	partial Mem    // [16][8] dwords
	d       Mem    // [16] dwords: float16
}

func (p *rowProduct) takeD(c *build.Context, bits reg.GPVirtual, factor uint32) {
	p.factor = factor
	c.MOVL(bits.As32(), p.d.Idx(p.i, 1))
}

func (p *rowProduct) takeScales(e *expander, x reg.VecVirtual) {
	y := e.YMM()
	e.VPMOVZXBW(x.AsX(), y)
	e.VMOVDQU(y, p.scale)
	p.acc = y
	if p.bias != 0 {
		e.VPMADDWD(p.sums, y, p.acc)
	} else {
		e.VPXOR(p.acc, p.acc, p.acc)
	}
}

// codes adds the product of the g-th 32 biased codes.
func (p *rowProduct) codes(e *expander, g int, x reg.VecVirtual) {
	e.VPMADDUBSW(mem(p.q, 32*g), x, x)
	p.add(e, g, x)
}

// magnitudes adds the product of 32 codes without their signs; y is -1 for negative
// ones, which the activations take over.
func (p *rowProduct) magnitudes(e *expander, g int, x, y reg.VecVirtual) {
	z := e.YMM()
	e.VPXOR(mem(p.q, 32*g), y, z)
	e.VPSUBB(y, z, z)
	e.VPMADDUBSW(z, x, z)
	p.add(e, g, z)
}

func (p *rowProduct) add(e *expander, g int, x reg.VecVirtual) {
	s := e.YMM()
	e.VPBROADCASTD(p.scale.Offset(4*g), s)
	if p.sub == 16 {
		e.VPSHUFB(e.hot("two", 0x01000100, 0x01000100, 0x01000100, 0x01000100, 0x03020302, 0x03020302, 0x03020302, 0x03020302), s, s)
	}
	e.VPMADDWD(s, x, x)
	e.VPADDD(x, p.acc, p.acc)
}

// step adds to the eight products from row 8*h what the block gives.
func (p *rowProduct) step(e *expander, h int, dst, d reg.GPVirtual) {
	part := func(r int) Mem { return p.partial.Offset(32 * (8*h + r)) }
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
	x, y := e.YMM(), e.YMM()
	e.VPERM2I128(U8(0x20), four[1], four[0], x)
	e.VPERM2I128(U8(0x31), four[1], four[0], y)
	e.VPADDD(y, x, x)
	e.VCVTDQ2PS(x, x)
	e.VMOVDQU(p.d.Offset(32*h), y)
	e.VPACKUSDW(y, y, y)
	e.VPERMQ(U8(0x08), y, y)
	e.VCVTPH2PS(y.AsX(), y)
	if p.factor != one {
		e.VMULPS(e.dwords(fmt.Sprintf("f%x", p.factor), p.factor), y, y)
	}
	z := e.YMM()
	e.VBROADCASTSS(mem(d, 0), z)
	e.VMULPS(z, y, y)
	e.VMOVUPS(mem(dst, 32*h), z)
	e.VFMADD231PS(y, x, z)
	e.VMOVUPS(z, mem(dst, 32*h))
}

// dotRows writes the function dot<name>AVX2: block emits the code for one block of
// one row.
func (l lookup) dotRows(c *build.Context) {
	write := func(c *build.Context, hold []constant) *expander {
		name := "dot" + l.name + "AVX2"
		function(c, name, fmt.Sprintf("%s sets dst to the products of 16 rows of %s blocks with one column. It asks for the cache lines that many bytes ahead.", name, l.format),
			"dst *float32, src *byte, stride, blocks, ahead int, q *int8, d *float32, sums *int16, grid, room *byte")
		p := &rowProduct{sub: l.sub, bias: l.bias, q: c.GP64(), i: c.GP64()}
		e := &expander{tiler: tiler{Context: c, data: map[string]Mem{}}, src: c.GP64(), grid: c.GP64(), tmp: c.GP64(), product: p}
		room := c.GP64()
		c.Load(c.Param("room"), room)
		p.partial, p.d, e.room, p.scale, p.sums = mem(room, 0), mem(room, 512), mem(room, 576), mem(room, 704), mem(room, 736)
		e.hold(hold)
		dst, src, stride, n, d, sums, ahead := c.GP64(), c.GP64(), c.GP64(), c.GP64(), c.GP64(), c.GP64(), c.GP64()
		c.Load(c.Param("dst"), dst)
		c.Load(c.Param("src"), src)
		c.Load(c.Param("stride"), stride)
		c.Load(c.Param("blocks"), n)
		c.Load(c.Param("ahead"), ahead)
		c.ADDQ(src, ahead)
		c.Load(c.Param("q"), p.q)
		c.Load(c.Param("d"), d)
		c.Load(c.Param("sums"), sums)
		c.Load(c.Param("grid"), e.grid)
		x := c.YMM()
		c.VPXOR(x, x, x)
		c.VMOVUPS(x, mem(dst, 0))
		c.VMOVUPS(x, mem(dst, 32))
		c.Label("block")
		if l.bias != 0 {
			x := c.YMM()
			c.VMOVDQU(mem(sums, 0), x)
			c.VPMULLW(e.dwords("bias", uint32(uint16(-l.bias))*0x10001), x, x)
			c.VMOVDQU(x, p.sums)
			c.ADDQ(U8(32), sums)
		}
		c.MOVQ(src, e.src)
		c.XORL(p.i.As32(), p.i.As32())
		c.Label("row")
		c.PREFETCHT1(mem(ahead, 0))
		if l.bytes > 64 {
			c.PREFETCHT1(mem(ahead, 64))
		}
		l.block(e)
		c.VMOVDQU(p.acc, p.partial.Idx(p.i, 8))
		c.ADDQ(stride, e.src)
		c.ADDQ(U32(uint32(l.bytes)), ahead)
		c.ADDQ(U8(4), p.i)
		c.CMPQ(p.i, U8(64))
		c.JNE(LabelRef("row"))
		p.step(e, 0, dst, d)
		p.step(e, 1, dst, d)
		c.ADDQ(U32(uint32(l.bytes)), src)
		c.ADDQ(U32(256), p.q)
		c.ADDQ(U8(4), d)
		c.DECQ(n)
		c.JNZ(LabelRef("block"))
		c.VZEROUPPER()
		c.RET()
		return e
	}
	write(c, write(build.NewContext(), nil).wanted)
}
