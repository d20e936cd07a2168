package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets within the records of kernels/tile.go.
const (
	tileRows = 16

	groupQ     = 0   // superTile: 32 values of each row, [8][16][4] bytes
	groupScale = 512 // their scales, [2][16] pairs
	groupSize  = 640

	superCorr = 8 * groupSize   // [8][16] pairs
	superMin  = superCorr + 512 // [8][16] pairs
	superD    = superMin + 512  // [16] float32
	superDMin = superD + 64     // [16] float32
	superSize = superDMin + 64

	smallQ    = 0   // smallTile: [8][16][4] bytes
	smallD    = 512 // [2][16] float32
	smallM    = 640 // [16] float32
	smallSize = 704
)

// tiler writes kernels that read 16 rows of a format's blocks. Its target is either
// a tile, or the product with one column. It needs no more than AVX2 for tiles:
// their shuffles are as fast in bytes a cycle as those of 512 bits on the CPU this
// was measured on (Zen 4), so both tables use them.
//
// The rows go in two halves of eight: rows 0-3 of a half are the low 128 bits of
// a register, rows 4-7 the high ones.
type tiler struct {
	*build.Context
	dst reg.GPVirtual // tile, at the half's first row
	rows
	beside       rows // beside the blocks, or nothing
	ahead, back  reg.GPVirtual // with column; -8 rows
	half         reg.GPVirtual // 0 or 32
	codes, asked int           // calls of code and prefetches so far
	data         map[string]Mem
	held         map[string]reg.VecVirtual // constants in registers
	wanted       []constant                // asked for by hot
	layout       layout
	column       *column         // nil: make a tile
	evex         bool            // AVX-512, with 32 registers
	lane         [8]reg.Register // with evex: masks of one dword
}

// rows are eight rows of memory.
type rows struct {
	lo, hi reg.GPVirtual // rows 0 and 4
	s, s3  reg.GPVirtual // stride, 3*stride
}

// row is the operand at byte off of row r.
func (r rows) row(i, off int) Mem {
	m := Mem{Base: r.lo, Disp: off}
	if i >= 4 {
		m.Base = r.hi
	}
	switch i % 4 {
	case 1:
		m.Index, m.Scale = r.s, 1
	case 2:
		m.Index, m.Scale = r.s, 2
	case 3:
		m.Index, m.Scale = r.s3, 1
	}
	return m
}

// loadRows returns the rows of the parameters: half is 0 or 32, for rows 0 to 7 or
// 8 to 15.
func (t *tiler) loadRows(src, stride string) rows {
	r := rows{t.GP64(), t.GP64(), t.GP64(), t.GP64()}
	t.Load(t.Param(src), r.lo)
	t.Load(t.Param(stride), r.s)
	t.LEAQ(Mem{Base: r.s, Index: r.s, Scale: 2}, r.s3)
	t.TESTQ(t.half, t.half)
	first := src + "0"
	t.JZ(LabelRef(first))
	t.LEAQ(Mem{Base: r.lo, Index: r.s, Scale: 8}, r.lo)
	t.Label(first)
	t.LEAQ(Mem{Base: r.lo, Index: r.s, Scale: 4}, r.hi)
	return r
}

// layout says what a format's blocks hold.
type layout struct {
	name   string // as the kernels are called
	format string
	bytes  int // of a block
	values int // of a block: 32 or 64 for smallTiles, 256 for superTiles
	sub    int // values that share a scale
	bias   int
	most   int // greatest code, bias included, unless of 8 bits
	min    bool
	beside bool           // e8m0 scales lie beside the blocks
	block  func(t *tiler) // emits the code for one block of eight rows
}

func (l *layout) super() bool { return l.values == 256 }

// tile writes the function tile<name>, which turns blocks of 16 rows into as many
// records.
func (l layout) tile(c *build.Context) {
	kind, size := "smallTile", l.values/32*smallSize
	if l.super() {
		kind, size = "superTile", superSize
	}
	args := "dst, src *byte, stride, blocks int"
	if l.beside {
		args += ", scales *byte, scaleStride int"
	}
	function(c, "tile"+l.name, fmt.Sprintf("tile%s turns 16 rows of %s blocks into records of %s.", l.name, l.format, kind), args)
	t := newTiler(c, l)
	t.dst = c.GP64()
	t.eachHalf(func() {
		c.Load(c.Param("dst"), t.dst)
		c.ADDQ(t.half, t.dst)
	}, func() {
		l.block(t)
		c.ADDQ(U32(size), t.dst)
	}, func() {})
}

func newTiler(c *build.Context, l layout) *tiler {
	return &tiler{Context: c, layout: l, half: c.GP64(), data: map[string]Mem{}}
}

// eachHalf emits the loops over two times eight rows and over blocks, and the end
// of the function.
func (t *tiler) eachHalf(start, block, end func()) {
	n := t.GP64()
	if t.column != nil {
		t.ahead = t.GP64()
		t.Load(t.Param("ahead"), t.ahead)
		src, err := t.Param("src").Resolve()
		if err != nil {
			panic(err)
		}
		t.ADDQ(src.Addr, t.ahead)
		t.back = t.GP64()
		t.Load(t.Param("stride"), t.back)
		t.SHLQ(U8(3), t.back)
		t.NEGQ(t.back)
	}
	t.XORL(t.half.As32(), t.half.As32())
	t.Label("half")
	t.rows = t.loadRows("src", "stride")
	if t.layout.beside {
		t.beside = t.loadRows("scales", "scaleStride")
	}
	start()
	t.Load(t.Param("blocks"), n)
	t.Label("block")
	block()
	if t.column != nil {
		t.ADDQ(U32(uint32(8*t.layout.bytes)), t.ahead)
	}
	t.ADDQ(U32(uint32(t.layout.bytes)), t.lo)
	t.ADDQ(U32(uint32(t.layout.bytes)), t.hi)
	if t.layout.beside {
		t.INCQ(t.beside.lo)
		t.INCQ(t.beside.hi)
	}
	t.DECQ(n)
	t.JNZ(LabelRef("block"))
	end()
	t.ADDQ(U8(32), t.half)
	t.CMPQ(t.half, U8(64))
	t.JNE(LabelRef("half"))
	t.VZEROUPPER()
	t.RET()
}

// prefetch asks for the next of as many lines as a block of eight rows has. They
// are spread over the block's codes, because a CPU drops what it is asked for while
// its buffers are full: Zen 4 drops nine tenths of what is asked for at once. For the
// same reason it asks again, eight rows later and for the first cache: on two Zen 4
// cores, tasks of 256 rows of q4_K read 99 % of what plain reading does, of q6_K 95 %,
// where asking once gave 86 and 84 %.
func (t *tiler) prefetch(v int) {
	n := (8*t.layout.bytes + 63) / 64 // lines
	steps := t.layout.values / 4
	for t.asked < n && t.asked*steps <= v*n {
		t.PREFETCHT1(Mem{Base: t.ahead, Disp: 64 * t.asked})
		t.PREFETCHT0(Mem{Base: t.ahead, Index: t.back, Scale: 1, Disp: 64 * t.asked})
		t.asked++
	}
}

// code takes the biased codes of values v to v+3 of the block.
func (t *tiler) code(x reg.VecVirtual, v int) {
	if t.column != nil {
		t.prefetch(t.codes)
	}
	t.codes++
	switch {
	case t.column != nil:
		t.column.code(t, x, v)
	case t.layout.super():
		t.store(x, v/32*groupSize+v%32/4*64)
	default:
		t.store(x, v/32*smallSize+v%32/4*64)
	}
}

// scale takes scale s of a super-block: pair emits it, twice in a dword.
func (t *tiler) scale(s int, pair func() reg.VecVirtual) {
	if v := t.column; v != nil {
		v.scale[s] = pair
		if v.room != nil {
			v.keep(t, pair(), roomScale+32*s)
		}
		return
	}
	s *= t.layout.sub / 16
	t.store(pair(), s/2*groupSize+groupScale+s%2*64)
	if t.layout.name == "IQ4XS" { // whose 8 bits AVX2 multiplies 16 values at a time
		t.store(pair(), s/2*groupSize+groupScale+64)
	}
}

// corr and min take the i-th pair of corrections and minima of a super-block.
func (t *tiler) corr(i int, x reg.VecVirtual) { t.pair(i, x, superCorr) }
func (t *tiler) min(i int, x reg.VecVirtual)  { t.pair(i, x, superMin) }

func (t *tiler) pair(i int, x reg.VecVirtual, off int) {
	if t.column == nil {
		t.store(x, off+64*i)
		return
	}
	v := t.column
	if off == superCorr {
		v.pair(t, i, x, v.isum)
		return
	}
	sum := v.msum.(reg.VecVirtual)
	v.pair(t, i, x, sum)
	if i == 7 {
		v.msum = v.keep(t, sum, roomMin)
	}
}

// d takes the float scale of the s-th sub values of a block, m what belongs to its
// minima or offsets.
func (t *tiler) d(s int, x reg.VecVirtual) {
	switch {
	case t.column != nil:
		t.column.ds[s] = t.column.keep(t, x, roomD)
	case t.layout.super():
		t.store(x, superD)
	default:
		v := s * t.layout.sub
		t.store(x, v/32*smallSize+smallD+v%32/16*64)
	}
}

func (t *tiler) m(x reg.VecVirtual) {
	switch {
	case t.column != nil:
		t.column.m = t.column.keep(t, x, roomM)
	case t.layout.super():
		t.store(x, superDMin)
	default:
		t.store(x, smallM)
	}
}

func function(c *build.Context, name, doc, args string) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr("func(" + args + ")")
	c.Doc(doc)
	c.Pragma("noescape")
}

// out is the operand at byte off of the tile.
func (t *tiler) out(off int) Mem { return Mem{Base: t.dst, Disp: off} }

func (t *tiler) store(x reg.VecVirtual, off int) { t.VMOVDQU(x, t.out(off)) }

// unit loads 16 bytes of eight rows and returns them as four registers of four
// bytes of each row.
func (t *tiler) unit(off int) [4]reg.VecVirtual {
	var x [4]reg.VecVirtual
	for r := range x {
		x[r] = t.YMM()
		t.VBROADCASTI128(t.row(r, off), x[r])
		t.VINSERTI128(U8(1), t.row(r+4, off), x[r], x[r])
	}
	return t.transpose(x)
}

// Instructions whose names differ where all 32 registers can be named.

func (t *tiler) VPAND(x, y, z Op) { t.either(t.Context.VPAND, t.VPANDD, x, y, z) }
func (t *tiler) VPOR(x, y, z Op)  { t.either(t.Context.VPOR, t.VPORD, x, y, z) }

func (t *tiler) VPXOR(x, y, z Op) {
	if x == y {
		t.VXORPS(x, y, z) // known to read nothing
		return
	}
	t.either(t.Context.VPXOR, t.VPXORD, x, y, z)
}

func (t *tiler) either(avx2 func(x, y, z Op), avx512 func(...Op), x, y, z Op) {
	if !t.evex {
		avx2(x, y, z)
	} else {
		avx512(x, y, z)
	}
}

func (t *tiler) VMOVDQU(x, y Op) {
	if !t.evex {
		t.Context.VMOVDQU(x, y)
	} else {
		t.VMOVDQU64(x, y)
	}
}

func (t *tiler) VBROADCASTI128(m, x Op) {
	if !t.evex {
		t.Context.VBROADCASTI128(m, x)
	} else {
		t.VBROADCASTI32X4(m, x)
	}
}

func (t *tiler) VINSERTI128(i, x, y, z Op) {
	if !t.evex {
		t.Context.VINSERTI128(i, x, y, z)
	} else {
		t.VINSERTI32X4(i, x, y, z)
	}
}

func (t *tiler) VEXTRACTI128(i, x, y Op) {
	if !t.evex {
		t.Context.VEXTRACTI128(i, x, y)
	} else {
		t.VEXTRACTI32X4(i, x, y)
	}
}

// words returns the dword at byte off of eight rows.
func (t *tiler) words(off int) reg.VecVirtual {
	x, y, z := t.YMM(), t.YMM(), t.YMM()
	for i, x := range [2]reg.VecVirtual{x, y} {
		t.VPBROADCASTD(t.row(4*i, off), x)
		for r := 1; r < 4; r++ {
			if t.evex { // half the instructions
				t.VPBROADCASTD(t.row(4*i+r, off), t.lane[r], x.AsX())
			} else {
				t.VPINSRD(U8(uint8(r)), t.row(4*i+r, off), x.AsX(), x.AsX())
			}
		}
	}
	t.VINSERTI128(U8(1), y.AsX(), x, z)
	return z
}

// transpose transposes 4 x 4 dwords in both halves of four registers.
func (t *tiler) transpose(x [4]reg.VecVirtual) [4]reg.VecVirtual {
	a, b, c, d := t.YMM(), t.YMM(), t.YMM(), t.YMM()
	t.VPUNPCKLDQ(x[1], x[0], a)
	t.VPUNPCKHDQ(x[1], x[0], b)
	t.VPUNPCKLDQ(x[3], x[2], c)
	t.VPUNPCKHDQ(x[3], x[2], d)
	var y [4]reg.VecVirtual
	for i := range y {
		y[i] = t.YMM()
	}
	t.VPUNPCKLQDQ(c, a, y[0])
	t.VPUNPCKHQDQ(c, a, y[1])
	t.VPUNPCKLQDQ(d, b, y[2])
	t.VPUNPCKHQDQ(d, b, y[3])
	return y
}

// halves loads the float16 at byte off of eight rows as float32.
func (t *tiler) halves(off int) reg.VecVirtual {
	if t.evex {
		var x reg.VecVirtual
		if off+4 <= t.layout.bytes {
			x = t.words(off)
		} else {
			x = t.words(off - 2)
			t.VPSRLD(U8(16), x, x)
		}
		return t.lowHalves(x)
	}
	x, y := t.XMM(), t.YMM()
	t.VPXOR(x, x, x)
	for r := range 8 {
		t.VPINSRW(U8(uint8(r)), t.row(r, off), x, x)
	}
	t.VCVTPH2PS(x, y)
	return y
}

// lowHalves converts the low float16 of eight dwords, with AVX-512.
func (t *tiler) lowHalves(x reg.VecVirtual) reg.VecVirtual {
	h, y := t.XMM(), t.YMM()
	t.VPMOVDW(x, h)
	t.VCVTPH2PS(h, y)
	return y
}

// wordPairs returns the dwords at bytes off and off+4 of eight rows, or those at off
// and off+2, with AVX-512.
func (t *tiler) wordPairs(off, apart int) (x, y reg.VecVirtual) {
	a, b := t.YMM(), t.YMM()
	for i, r := range [2][4]int{{0, 1, 4, 5}, {2, 3, 6, 7}} {
		q := [2]reg.VecVirtual{a, b}[i]
		t.VPBROADCASTQ(t.row(r[0], off), q)
		for j := 1; j < 4; j++ {
			t.VPBROADCASTQ(t.row(r[j], off), t.lane[j], q)
		}
	}
	x, y = t.YMM(), t.YMM()
	t.VSHUFPS(U8(0x88), b, a, x)
	if apart == 2 {
		t.VPSRLQ(U8(16), a, a)
		t.VPSRLQ(U8(16), b, b)
		t.VSHUFPS(U8(0x88), b, a, y)
	} else {
		t.VSHUFPS(U8(0xdd), b, a, y)
	}
	return x, y
}

// halfPairs converts eight dwords of two float16 each to the float32 of the low
// ones and of the high ones.
func (t *tiler) halfPairs(x reg.VecVirtual) (low, high reg.VecVirtual) {
	y, z := t.YMM(), t.XMM()
	low, high = t.YMM(), t.YMM()
	t.VPSHUFB(t.dwords("unzip", 0x05040100, 0x0d0c0908, 0x07060302, 0x0f0e0b0a), x, y)
	t.VPERMQ(U8(0xd8), y, y)
	t.VEXTRACTI128(U8(1), y, z)
	t.VCVTPH2PS(y.AsX(), low)
	t.VCVTPH2PS(z, high)
	return low, high
}

// dwords returns 32 bytes of data that repeat the dwords.
func (t *tiler) dwords(name string, d ...uint32) Mem {
	if _, ok := t.data[name]; !ok {
		t.data[name] = dwords(t.Context, name, d...)
	}
	return t.data[name]
}

// hot is dwords for what is used often: in a register, where there are enough.
func (t *tiler) hot(name string, d ...uint32) Op {
	if x, ok := t.held[name]; ok {
		return x
	}
	t.wanted = append(t.wanted, constant{name, d})
	return t.dwords(name, d...)
}

type constant struct {
	name string
	d    []uint32
}

// hold loads constants into registers; it belongs before the first loop.
func (t *tiler) hold(wanted []constant) {
	t.held = map[string]reg.VecVirtual{}
	for _, k := range wanted {
		if _, ok := t.held[k.name]; !ok {
			x := t.YMM()
			t.VMOVDQU(t.dwords(k.name, k.d...), x)
			t.held[k.name] = x
		}
	}
}

func dwords(c *build.Context, name string, d ...uint32) Mem {
	m := c.StaticGlobal(name)
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		c.AddDatum(4*i, U32(d[i%len(d)]))
	}
	return m
}
