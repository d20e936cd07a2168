package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Records of the type expanded of kernels/tile.go.
const (
	expandedScale = 256 // [16] int8
	expandedD     = 272 // float32
	expandedSize  = 288
)

// expanded is the layout of what expanders write: the codebook formats' points are
// looked up row by row, and only then do rows become lanes.
var expanded = layout{
	name: "Expanded", format: "expanded", bytes: expandedSize, values: 256, sub: 16, bias: 128,
	block: func(t *tiler) {
		t.d(0, t.words(expandedD))
		t.int8Scales(t.unit(expandedScale), 7)
		flip := t.hot("flip", 0x80808080)
		for i := range 16 {
			for j, x := range t.unit(16 * i) {
				t.VPXOR(flip, x, x)
				t.code(x, 16*i+4*j)
			}
		}
	},
}

// expander writes kernels that look up the codes of a block row by row. Its target
// is either records of expanded, or the product with one column.
type expander struct {
	tiler
	dst, src, grid, tmp reg.GPVirtual
	room                Mem         // for 128 bytes
	product             *rowProduct // nil: write records
	part                int         // of 64 bytes, with product
}

// lookup says what the blocks of a codebook format hold.
type lookup struct {
	name   string // as the kernels are called
	format string
	bytes  int // of a block
	// head emits the code for all of a block but its points, points that.
	head, points func(e *expander)
	permuted     *permuted // of products
}

// expand writes the function expand<name>.
func (l lookup) expand(c *build.Context) {
	write := func(c *build.Context, hold []constant) *expander {
		function(c, "expand"+l.name, fmt.Sprintf("expand%s turns 16 rows of %s blocks into records of expanded, row by row.", l.name, l.format),
			"dst, src *byte, stride, blocks int, grid *byte")
		e := &expander{tiler: tiler{Context: c, data: map[string]Mem{}}, dst: c.GP64(), src: c.GP64(), grid: c.GP64(), tmp: c.GP64()}
		e.room = c.AllocLocal(128)
		e.hold(hold)
		src, stride, n, rows := c.GP64(), c.GP64(), c.GP64(), c.GP64()
		c.Load(c.Param("dst"), e.dst)
		c.Load(c.Param("src"), src)
		c.Load(c.Param("stride"), stride)
		c.Load(c.Param("grid"), e.grid)
		c.MOVQ(U32(16), rows)
		c.Label("row")
		c.MOVQ(src, e.src)
		c.Load(c.Param("blocks"), n)
		c.Label("block")
		l.head(e)
		l.points(e)
		c.ADDQ(U32(expandedSize), e.dst)
		c.ADDQ(U32(uint32(l.bytes)), e.src)
		c.DECQ(n)
		c.JNZ(LabelRef("block"))
		c.ADDQ(stride, src)
		c.DECQ(rows)
		c.JNZ(LabelRef("row"))
		c.VZEROUPPER()
		c.RET()
		return e
	}
	write(c, write(build.NewContext(), nil).wanted)
}

func (e *expander) in(off int) Mem { return Mem{Base: e.src, Disp: off} }
func (e *expander) to(off int) Mem { return Mem{Base: e.dst, Disp: off} }
func (e *expander) at(off int) Mem { return e.room.Offset(off) }

// halfD takes a float16 times a factor.
func (e *expander) halfD(bits reg.GPVirtual, factor uint32) {
	if e.product != nil {
		e.product.takeD(e.Context, bits, factor)
		return
	}
	x := e.XMM()
	e.VMOVD(bits.As32(), x)
	e.VCVTPH2PS(x, x)
	e.VMULSS(e.dwords(fmt.Sprintf("f%x", factor), factor), x, x)
	e.VMOVSS(x, e.to(expandedD))
}

// loadD is halfD of the word at byte off of the block.
func (e *expander) loadD(off int, factor uint32) {
	e.MOVWLZX(e.in(off), e.tmp.As32())
	e.halfD(e.tmp, factor)
}

const one, quarter, eighth = 0x3f800000, 0x3e800000, 0x3e000000

// points8 returns points of eight bytes, the g-th four of them; index loads the i-th
// point's number into tmp.
func (e *expander) points8(g int, index func(i int)) reg.VecVirtual {
	var half [2]reg.VecVirtual
	for h := range half {
		half[h] = e.XMM()
		index(4*g + 2*h)
		e.VMOVQ(Mem{Base: e.grid, Index: e.tmp, Scale: 8}, half[h])
		index(4*g + 2*h + 1)
		e.VMOVHPS(Mem{Base: e.grid, Index: e.tmp, Scale: 8}, half[h], half[h])
	}
	x := e.YMM()
	e.VINSERTI128(U8(1), half[1], half[0].AsY(), x)
	return x
}

// points4 returns points of four bytes, the g-th eight of them.
func (e *expander) points4(g int, index func(i int)) reg.VecVirtual {
	var half [2]reg.VecVirtual
	for h := range half {
		half[h] = e.XMM()
		for l := range 4 {
			index(8*g + 4*h + l)
			m := Mem{Base: e.grid, Index: e.tmp, Scale: 4}
			if l == 0 {
				e.VPBROADCASTD(m, half[h])
			} else {
				e.VPINSRD(U8(uint8(l)), m, half[h], half[h])
			}
		}
	}
	x := e.YMM()
	e.VINSERTI128(U8(1), half[1], half[0].AsY(), x)
	return x
}

// scales takes 16 scales of a byte each.
func (e *expander) scales(x reg.VecVirtual) { e.VMOVDQU(x.AsX(), e.to(expandedScale)) }

// codes takes the g-th 32 codes.
func (e *expander) codes(g int, x reg.VecVirtual) { e.VMOVDQU(x, e.to(32*g)) }

// magnitudes takes the g-th 32 codes without their signs, which are bits from m on.
func (e *expander) magnitudes(g int, x reg.VecVirtual, m Mem) {
	y := e.bytesOf(m.Offset(4 * g))
	bit := e.hot("bit", 0x08040201, 0x80402010)
	e.VPAND(bit, y, y)
	e.VPCMPEQB(bit, y, y)
	e.VPXOR(y, x, x)
	e.VPSUBB(y, x, x)
	e.codes(g, x)
}

// bytesOf spreads the four bytes at m over eight bytes each.
func (e *expander) bytesOf(m Mem) reg.VecVirtual {
	y := e.YMM()
	e.VPBROADCASTD(m, y)
	spread := e.hot("spread", 0, 0, 0x01010101, 0x01010101, 0x02020202, 0x02020202, 0x03030303, 0x03030303)
	e.VPSHUFB(spread, y, y)
	return y
}

// even completes the 7 bits of each byte of x with the one that makes the number
// of bits even.
func (e *expander) even(x reg.VecVirtual) {
	y, z := e.YMM(), e.YMM()
	e.VPSRLW(U8(4), x, y)
	e.VPXOR(x, y, y)
	e.VPSRLW(U8(2), y, z)
	e.VPXOR(z, y, y)
	e.VPSRLW(U8(1), y, z)
	e.VPXOR(z, y, y)
	e.VPSLLW(U8(7), y, y)
	e.VPAND(e.dwords("top", 0x80808080), y, y)
	e.VPOR(y, x, x)
}

// sevens stores the sign bytes of eight words of four times 7 bits and sets each
// scale to 2s+1, s the words' top 4 bits.
func (e *expander) sevens(w reg.VecVirtual) {
	x, y := e.YMM(), e.YMM()
	e.VPAND(e.dwords("seven0", 0x7f), w, x)
	for i := 1; i < 4; i++ {
		e.VPSLLD(U8(uint8(i)), w, y)
		e.VPAND(e.dwords(fmt.Sprintf("seven%d", i), 0x7f<<(8*i)), y, y)
		e.VPOR(y, x, x)
	}
	e.even(x)
	e.VMOVDQU(x, e.at(0))
	e.VPSRLD(U8(28), w, y)
	e.pairScales(y)
}

// pairScales stores 2s+1 twice for each of eight dwords s.
func (e *expander) pairScales(s reg.VecVirtual) {
	e.VPSLLD(U8(1), s, s)
	e.VPOR(e.dwords("d1", 1), s, s)
	e.VPSHUFB(e.dwords("pairs", 0x04040000, 0x0c0c0808, 0x80808080, 0x80808080), s, s)
	e.VPERMQ(U8(0x08), s, s)
	e.scales(s)
}

// nibbleScales stores 2s+1 for 16 halves of the bytes at off, low ones first.
func (e *expander) nibbleScales(off int) {
	x, y := e.XMM(), e.XMM()
	e.VMOVQ(e.in(off), x)
	e.VPSRLW(U8(4), x, y)
	e.VPUNPCKLBW(y, x, x)
	e.VPAND(e.dwords("low4", 0x0f0f0f0f), x, x)
	e.VPADDB(x, x, x)
	e.VPOR(e.dwords("b1", 0x01010101), x, x)
	e.scales(x)
}

// fields returns 16 words: field j (of 3 bits) of word i of the four at m, moved to
// bits 8 to 10, for 4i+j.
func (e *expander) fields(m Mem) reg.VecVirtual {
	x := e.YMM()
	e.VPBROADCASTQ(m, x)
	e.VPSHUFB(e.dwords("words", 0x01000100, 0x01000100, 0x03020302, 0x03020302, 0x05040504, 0x05040504, 0x07060706, 0x07060706), x, x)
	e.VPMULLW(e.dwords("place", 64<<16|512, 1<<16|8), x, x)
	e.VPSRLW(U8(1), x, x)
	e.VPAND(e.dwords("field", 0x07000700), x, x)
	return x
}

// indices stores 16 words: the bytes at off, and high.
func (e *expander) indices(i, off int, high reg.VecVirtual) {
	x := e.YMM()
	e.VPMOVZXBW(e.in(off+16*i), x)
	e.VPOR(high, x, x)
	e.VMOVDQU(x, e.at(32*i))
}

func headIQ2XXS(e *expander) {
	e.loadD(0, eighth)
	x, y := e.YMM(), e.YMM()
	e.VMOVDQU(e.in(2), x)
	e.VMOVDQU(e.in(34), y)
	e.VSHUFPS(U8(0xdd), y, x, x)
	e.VPERMQ(U8(0xd8), x, x)
	e.sevens(x)
}

func pointsIQ2XXS(e *expander) {
	for g := range 8 {
		x := e.points8(g, func(i int) { e.MOVBLZX(e.in(2+i/4*8+i%4), e.tmp.As32()) })
		e.magnitudes(g, x, e.at(0))
	}
}

func headIQ2XS(e *expander) {
	e.loadD(0, eighth)
	e.nibbleScales(66)
	x, y := e.YMM(), e.YMM()
	e.VMOVDQU(e.in(2), x)
	e.VMOVDQU(e.in(34), y)
	e.VPSRLW(U8(9), x, x)
	e.VPSRLW(U8(9), y, y)
	e.VPACKUSWB(y, x, x)
	e.VPERMQ(U8(0xd8), x, x)
	e.even(x)
	e.VMOVDQU(x, e.at(0))
}

func pointsIQ2XS(e *expander) {
	for g := range 8 {
		x := e.points8(g, func(i int) {
			e.MOVWLZX(e.in(2+2*i), e.tmp.As32())
			e.ANDL(U32(511), e.tmp.As32())
		})
		e.magnitudes(g, x, e.at(0))
	}
}

func headIQ2S(e *expander) {
	e.loadD(0, eighth)
	e.nibbleScales(74)
	for i := range 2 { // 16 numbers: 8 low bits, 2 high ones
		y := e.YMM()
		e.VPBROADCASTD(e.in(66+4*i), y)
		e.VPSHUFB(e.dwords("bytes", 0x80008000, 0x80008000, 0x80018001, 0x80018001, 0x80028002, 0x80028002, 0x80038003, 0x80038003), y, y)
		e.VPMULLW(e.dwords("place2", 64<<16|256, 4<<16|16), y, y)
		e.VPAND(e.dwords("field2", 0x03000300), y, y)
		e.indices(i, 2, y)
	}
}

func pointsIQ2S(e *expander) {
	for g := range 8 {
		x := e.points8(g, func(i int) { e.MOVWLZX(e.at(2*i), e.tmp.As32()) })
		e.magnitudes(g, x, e.in(34))
	}
}

func headIQ3XXS(e *expander) {
	e.loadD(0, quarter)
	x := e.YMM()
	e.VMOVDQU(e.in(66), x)
	e.sevens(x)
}

func pointsIQ3XXS(e *expander) {
	for g := range 8 {
		x := e.points4(g, func(i int) { e.MOVBLZX(e.in(2+i), e.tmp.As32()) })
		e.magnitudes(g, x, e.at(0))
	}
}

func headIQ3S(e *expander) {
	e.loadD(0, one)
	for i := range 4 { // 16 numbers: 8 low bits, 1 high one
		y := e.YMM()
		e.VPBROADCASTW(e.in(66+2*i), y)
		e.VPMULLW(e.dwords("place1", 0x40008000, 0x10002000, 0x04000800, 0x01000200, 0x00400080, 0x00100020, 0x00040008, 0x00010002), y, y)
		e.VPSRLW(U8(7), y, y)
		e.VPAND(e.dwords("high1", 0x01000100), y, y)
		e.indices(i, 2, y)
	}
	x, y := e.XMM(), e.YMM()
	e.VMOVD(e.in(106), x)
	e.VPSRLW(U8(4), x, y.AsX())
	e.VPUNPCKLBW(y.AsX(), x, x)
	e.VPAND(e.dwords("low4", 0x0f0f0f0f), x, x)
	e.VPMOVZXBD(x, y)
	e.pairScales(y)
}

func pointsIQ3S(e *expander) {
	for g := range 8 {
		x := e.points4(g, func(i int) { e.MOVWLZX(e.at(2*i), e.tmp.As32()) })
		e.magnitudes(g, x, e.in(74))
	}
}

func headIQ1S(e *expander) {
	e.loadD(0, eighth)
	for i := range 2 {
		e.indices(i, 2, e.fields(e.in(34+8*i)))
	}
	x, y := e.XMM(), e.YMM()
	e.VMOVDQU(e.in(34), x)
	e.VPSRLW(U8(12), x, x)
	e.VPAND(e.dwords("seven16", 0x00070007), x, x)
	e.VPMOVZXWD(x, y)
	e.pairScales(y)
}

func pointsIQ1S(e *expander) {
	for g := range 8 {
		x, y := e.points8(g, func(i int) { e.MOVWLZX(e.at(2*i), e.tmp.As32()) }), e.YMM()
		e.VPBROADCASTW(e.in(34+2*g), y)
		e.VPSRAW(U8(15), y, y)
		e.VPOR(e.hot("b1", 0x01010101), y, y) // 1 or -1
		e.VPADDB(y, x, x)
		e.codes(g, x)
	}
}

func headIQ1M(e *expander) {
	d := e.GP64()
	e.MOVWLZX(e.in(54), d.As32()) // its top 4 bits are d's
	e.SHRL(U8(12), d.As32())
	for i := 2; i >= 0; i-- {
		e.MOVWLZX(e.in(48+2*i), e.tmp.As32())
		e.SHRL(U8(12), e.tmp.As32())
		e.SHLL(U8(4), d.As32())
		e.ORL(e.tmp.As32(), d.As32())
	}
	e.halfD(d, eighth)
	s := e.fields(e.in(48)) // 3 bits from bit 8
	e.VPSRLW(U8(7), s, s)   // twice the field
	e.VPACKUSWB(s, s, s)
	e.VPERMQ(U8(0x08), s, s)
	e.VPOR(e.dwords("ones1", 0x01010101), s, s)
	e.scales(s)
	for i := range 2 { // 16 numbers: 8 low bits, 3 high ones, and the sign of the offset
		x, y := e.XMM(), e.YMM()
		e.VMOVQ(e.in(32+8*i), x)
		e.VPSRLW(U8(4), x, y.AsX())
		e.VPUNPCKLBW(y.AsX(), x, x)
		e.VPMOVZXBW(x, y)
		e.VPSLLW(U8(12), y, y)
		z := e.YMM()
		e.VPSRAW(U8(15), y, z)
		e.VPACKSSWB(z, z, z)
		e.VPERMQ(U8(0x08), z, z)
		e.VMOVDQU(z.AsX(), e.at(64+16*i)) // 0 or -1 for eight values
		e.VPSRLW(U8(4), y, y)
		e.VPAND(e.dwords("field", 0x07000700), y, y)
		e.indices(i, 0, y)
	}
}

func pointsIQ1M(e *expander) {
	for g := range 8 {
		x := e.points8(g, func(i int) { e.MOVWLZX(e.at(2*i), e.tmp.As32()) })
		y := e.bytesOf(e.at(64 + 4*g))
		e.VPOR(e.hot("b1", 0x01010101), y, y)
		e.VPADDB(y, x, x)
		e.codes(g, x)
	}
}

// lookups are the codebook formats.
var lookups = []struct {
	lookup
	stem string
}{
	{lookup{"IQ1S", "iq1_s", 50, headIQ1S, pointsIQ1S, &permutedIQ1S}, "iq1_s"},
	{lookup{"IQ1M", "iq1_m", 56, headIQ1M, pointsIQ1M, &permutedIQ1M}, "iq1_m"},
	{lookup{"IQ2XXS", "iq2_xxs", 66, headIQ2XXS, pointsIQ2XXS, &permutedIQ2XXS}, "iq2_xxs"},
	{lookup{"IQ2XS", "iq2_xs", 74, headIQ2XS, pointsIQ2XS, &permutedIQ2XS}, "iq2_xs"},
	{lookup{"IQ2S", "iq2_s", 82, headIQ2S, pointsIQ2S, &permutedIQ2S}, "iq2_s"},
	{lookup{"IQ3XXS", "iq3_xxs", 98, headIQ3XXS, pointsIQ3XXS, &permutedIQ3XXS}, "iq3_xxs"},
	{lookup{"IQ3S", "iq3_s", 110, headIQ3S, pointsIQ3S, &permutedIQ3S}, "iq3_s"},
}

func lookupStems() []stem {
	var stems []stem
	for _, l := range lookups {
		stems = append(stems, stem{"expand_" + l.stem, l.expand}, stem{"dot_" + l.stem, l.dotRows})
	}
	return stems
}
