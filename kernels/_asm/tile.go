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

	superCorr = 8 * groupSize   // [8 or 4][16] pairs
	superMin  = superCorr + 512 // [8 or 4][16] pairs
	superD    = superMin + 512  // [16] float32
	superDMin = superD + 64     // [16] float32
	superSize = superDMin + 64

	smallQ    = 0   // smallTile: [8][16][4] bytes
	smallD    = 512 // [2][16] float32
	smallM    = 640 // [16] float32
	smallSize = 704
)

// tiler writes kernels that read 16 rows of a format's blocks. Its target is either
// a tile, or the product with one column.
//
// Four rows share 128 bits of a register. With AVX-512 it has all 16 rows, else they go
// in two halves of eight. Zen 4 shuffles as many bytes a cycle either way; an Intel core
// starts six instructions in a cycle, and tiles of 256 bits had to wait for that
// (Emerald Rapids: 194 cycles for 16 rows of q4_K, 170 with 512 bits). Products with one
// column wait for memory there (of plain reading q4_K 88 % in halves and 84 with 512 bits,
// q5_0 82 either way, mxfp4 78 and 80); on Zen 5, whose memory gives a core 35 GB/s and
// more, they waited for arithmetic: from the second cache q4_K 31 GB/s in halves and 49
// with 512 bits, q5_0 22 and 35.
type tiler struct {
	*build.Context
	dst reg.GPVirtual // tile, at the half's first row
	rows
	besides      reg.GPVirtual // the bytes beside the blocks of the first of the rows, or nothing
	ahead, back  reg.GPVirtual // with column; -8 rows
	half         reg.GPVirtual // 0 or 32, where rows go in halves
	codes, asked int           // calls of code and prefetches so far
	data         map[string]Mem
	held         map[string]reg.VecVirtual // constants in registers
	wanted       []constant                // asked for by hot
	layout       layout
	column       *column         // nil: make a tile
	evex         bool            // AVX-512, with 32 registers
	wide         bool            // of 512 bits
	lane         [8]reg.Register // with evex: masks of one dword
}

// rows are eight or 16 rows of memory.
type rows struct {
	fours []reg.GPVirtual // rows 0, 4, ...
	s, s3 reg.GPVirtual   // stride, 3*stride
}

// row is the operand at byte off of row i.
func (r rows) row(i, off int) Mem {
	m := Mem{Base: r.fours[i/4], Disp: off}
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

// forward moves on by n bytes.
func (t *tiler) forward(r rows, n int) {
	for _, p := range r.fours {
		t.ADDQ(U32(uint32(n)), p)
	}
}

// loadRows returns the rows of the parameters: half is 0 or 32, for rows 0 to 7 or
// 8 to 15.
func (t *tiler) loadRows() rows {
	r := rows{make([]reg.GPVirtual, t.rowsAtOnce()/4), t.GP64(), t.GP64()}
	for i := range r.fours {
		r.fours[i] = t.GP64()
	}
	t.Load(t.Param("src"), r.fours[0])
	t.Load(t.Param("stride"), r.s)
	t.LEAQ(Mem{Base: r.s, Index: r.s, Scale: 2}, r.s3)
	if !t.wide {
		t.TESTQ(t.half, t.half)
		t.JZ(LabelRef("first"))
		t.LEAQ(Mem{Base: r.fours[0], Index: r.s, Scale: 8}, r.fours[0])
		t.Label("first")
	}
	for i, p := range r.fours[1:] {
		t.LEAQ(Mem{Base: r.fours[i], Index: r.s, Scale: 4}, p)
	}
	return r
}

// rowsAtOnce is how many rows a register holds.
func (t *tiler) rowsAtOnce() int {
	if t.wide {
		return 16
	}
	return 8
}

// vec returns a new register for all rows.
func (t *tiler) vec() reg.VecVirtual {
	if t.wide {
		return t.ZMM()
	}
	return t.YMM()
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
	row    rowKernel      // of products with one column and AVX-512, or nil
	beside bool           // e8m0 scales lie beside the blocks
	block  func(t *tiler) // emits the code for one block of as many rows as go at once
}

func (l *layout) super() bool { return l.values == 256 }

// tiles writes the functions tile<name>AVX2 and tile<name>AVX512, which turn blocks
// of 16 rows into as many records.
func (l layout) tiles(c *build.Context) {
	data := map[string]Mem{}
	dry := l.tile(build.NewContext(), map[string]Mem{}, true, nil)
	l.tile(c, data, true, dry.wanted)
	l.tile(c, data, false, nil)
}

func (l layout) tile(c *build.Context, data map[string]Mem, evex bool, hold []constant) *tiler {
	kind, size := "smallTile", l.values/32*smallSize
	if l.super() {
		kind, size = "superTile", superSize
	}
	args := "dst, src *byte, stride, blocks int"
	if l.beside {
		args += ", scales *byte, scaleStride int"
	}
	name := "tile" + l.name + suffix(evex)
	function(c, name, fmt.Sprintf("%s turns 16 rows of %s blocks into records of %s.", name, l.format, kind), args)
	t := newTiler(c, l, data, evex, evex)
	t.dst = c.GP64()
	t.hold(hold)
	t.eachRows(func() {
		c.Load(c.Param("dst"), t.dst)
		if !t.wide {
			c.ADDQ(t.half, t.dst)
		}
	}, func() {
		l.block(t)
		c.ADDQ(U32(size), t.dst)
	}, func() {})
	return t
}

func suffix(evex bool) string { return gen{avx512: evex}.suffix() }

func newTiler(c *build.Context, l layout, data map[string]Mem, evex, wide bool) *tiler {
	t := &tiler{Context: c, layout: l, data: data, evex: evex, wide: wide}
	tmp := c.GP64()
	if evex {
		for r := 1; r < 4; r++ {
			t.lane[r] = c.K()
			c.MOVL(U32(1<<r), tmp.As32())
			c.KMOVD(tmp.As32(), t.lane[r])
		}
	}
	if !wide {
		t.half = tmp
	}
	return t
}

// eachRows emits the loops over the rows that go at once and over blocks, and the end
// of the function.
func (t *tiler) eachRows(start, block, end func()) {
	if !t.wide {
		t.XORL(t.half.As32(), t.half.As32())
		t.Label("half")
	}
	t.rows = t.loadRows()
	if t.layout.beside {
		t.besides = t.GP64()
		t.Load(t.Param("scales"), t.besides)
		if !t.wide {
			t.TESTQ(t.half, t.half)
			t.JZ(LabelRef("scales0"))
			stride := t.GP64()
			t.Load(t.Param("scaleStride"), stride)
			t.LEAQ(Mem{Base: t.besides, Index: stride, Scale: 8}, t.besides)
			t.Label("scales0")
		}
	}
	start()
	var blocks Op = place(t.Context, "blocks")
	if !t.wide { // which needs it twice
		n := t.GP64()
		t.MOVQ(blocks, n)
		blocks = n
	}
	t.Label("block")
	block()
	t.forward(t.rows, t.layout.bytes)
	if t.layout.beside {
		t.INCQ(t.besides)
	}
	t.DECQ(blocks)
	t.JNZ(LabelRef("block"))
	end()
	if !t.wide {
		t.ADDQ(U8(32), t.half)
		t.CMPQ(t.half, U8(64))
		t.JNE(LabelRef("half"))
	}
	t.VZEROUPPER()
	t.RET()
}

// prefetch asks for the next of as many lines as a block of the rows has. They
// are spread over the block's codes, because a CPU drops what it is asked for while
// its buffers are full: Zen 4 drops nine tenths of what is asked for at once. For the
// same reason it asks again, eight rows later and for the first cache: on two Zen 4
// cores, tasks of 256 rows of q4_K read 99 % of what plain reading does, of q6_K 95 %,
// where asking once gave 86 and 84 %. On Emerald Rapids it is 89 and 87 %; asking once
// gives 81 to 87 there.
func (t *tiler) prefetch(v int) {
	n := (t.rowsAtOnce()*t.layout.bytes + 63) / 64 // lines
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

// scale takes scale s of a super-block: word emits it in each half of a dword, or once
// as a dword.
func (t *tiler) scale(s int, word func(once bool) reg.VecVirtual) {
	if v := t.column; v != nil {
		v.scale[s] = word
		if v.room != nil {
			v.keep(t, word(false), roomScale+32*s)
		}
		return
	}
	s *= t.layout.sub / 16
	t.store(word(false), s/2*groupSize+groupScale+s%2*64)
	if t.layout.name == "IQ4XS" { // whose 8 bits AVX2 multiplies 16 values at a time
		t.store(word(false), s/2*groupSize+groupScale+64)
	}
}

// corr and min take the i-th pair of corrections and minima of a super-block.
func (t *tiler) corr(i int, x reg.VecVirtual) { t.pair(i, x, superCorr) }
func (t *tiler) min(i int, x reg.VecVirtual)  { t.pair(i, x, superMin) }

// pairs is how many there are: tiles whose scales are for 32 values meet the sums of
// 32, all else those of 16.
func (t *tiler) pairs() int {
	if t.column == nil {
		return pairsOf(t.layout.sub)
	}
	return 8
}

func pairsOf(sub int) int { return 128 / sub }

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

// unit loads 16 bytes of all rows and returns them as four registers of four
// bytes of each row.
func (t *tiler) unit(off int) [4]reg.VecVirtual {
	var x [4]reg.VecVirtual
	for r := range x {
		x[r] = t.vec()
		t.VBROADCASTI128(t.row(r, off), x[r])
		for i := 1; i < t.rowsAtOnce()/4; i++ {
			t.VINSERTI128(U8(uint8(i)), t.row(r+4*i, off), x[r], x[r])
		}
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

// words returns the dword at byte off of all rows.
func (t *tiler) words(off int) reg.VecVirtual {
	z := t.vec()
	for i := range t.rowsAtOnce() / 4 {
		x := z
		if i > 0 {
			x = t.vec()
		}
		t.VPBROADCASTD(t.row(4*i, off), x)
		for r := 1; r < 4; r++ {
			if t.evex { // half the instructions
				t.VPBROADCASTD(t.row(4*i+r, off), t.lane[r], x.AsX())
			} else {
				t.VPINSRD(U8(uint8(r)), t.row(4*i+r, off), x.AsX(), x.AsX())
			}
		}
		if i > 0 {
			t.VINSERTI128(U8(uint8(i)), x.AsX(), z, z)
		}
	}
	return z
}

// transpose transposes 4 x 4 dwords in each 128 bits of four registers.
func (t *tiler) transpose(x [4]reg.VecVirtual) [4]reg.VecVirtual {
	like := t.YMM
	if x[0].Size() == 64 {
		like = t.ZMM
	}
	a, b, c, d := like(), like(), like(), like()
	t.VPUNPCKLDQ(x[1], x[0], a)
	t.VPUNPCKHDQ(x[1], x[0], b)
	t.VPUNPCKLDQ(x[3], x[2], c)
	t.VPUNPCKHDQ(x[3], x[2], d)
	var y [4]reg.VecVirtual
	for i := range y {
		y[i] = like()
	}
	t.VPUNPCKLQDQ(c, a, y[0])
	t.VPUNPCKHQDQ(c, a, y[1])
	t.VPUNPCKLQDQ(d, b, y[2])
	t.VPUNPCKHQDQ(d, b, y[3])
	return y
}

// halves loads the float16 at byte off of all rows as float32.
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

// lowHalves converts the low float16 of dwords, with AVX-512.
func (t *tiler) lowHalves(x reg.VecVirtual) reg.VecVirtual {
	h, y := t.XMM(), t.vec()
	if t.wide {
		h = t.YMM()
	}
	t.VPMOVDW(x, h)
	t.VCVTPH2PS(h, y)
	return y
}

// wordPairs returns the dwords at bytes off and off+4 of all rows, or those at off
// and off+2, with AVX-512.
func (t *tiler) wordPairs(off, apart int) (x, y reg.VecVirtual) {
	var q [2]reg.VecVirtual // rows 0, 1, 4, 5, ... and 2, 3, 6, 7, ...
	for i := range q {
		for half := range t.rowsAtOnce() / 8 {
			z, first := t.vec(), 8*half+2*i
			t.VPBROADCASTQ(t.row(first, off), z)
			for j, r := range []int{1, 4, 5} {
				t.VPBROADCASTQ(t.row(first+r, off), t.lane[j+1], z.AsY())
			}
			if half == 0 {
				q[i] = z
			} else {
				t.VINSERTI64X4(U8(1), z.AsY(), q[i], q[i])
			}
		}
	}
	x, y = t.vec(), t.vec()
	t.VSHUFPS(U8(0x88), q[1], q[0], x)
	if apart == 2 {
		t.VPSRLQ(U8(16), q[0], q[0])
		t.VPSRLQ(U8(16), q[1], q[1])
		t.VSHUFPS(U8(0x88), q[1], q[0], y)
	} else {
		t.VSHUFPS(U8(0xdd), q[1], q[0], y)
	}
	return x, y
}

// halfPairs converts dwords of two float16 each to the float32 of the low ones and of
// the high ones.
func (t *tiler) halfPairs(x reg.VecVirtual) (low, high reg.VecVirtual) {
	if t.wide {
		y := t.ZMM()
		t.VPSRLD(U8(16), x, y)
		return t.lowHalves(x), t.lowHalves(y)
	}
	y, z := t.YMM(), t.XMM()
	low, high = t.YMM(), t.YMM()
	t.VPSHUFB(t.dwords("unzip", 0x05040100, 0x0d0c0908, 0x07060302, 0x0f0e0b0a), x, y)
	t.VPERMQ(U8(0xd8), y, y)
	if t.evex {
		t.VEXTRACTI32X4(U8(1), y, z)
	} else {
		t.VEXTRACTI128(U8(1), y, z)
	}
	t.VCVTPH2PS(y.AsX(), low)
	t.VCVTPH2PS(z, high)
	return low, high
}

// dwords returns data of a register's length that repeat the dwords.
func (t *tiler) dwords(name string, d ...uint32) Mem {
	if t.evex {
		return t.words64(name, d...)
	}
	if _, ok := t.data[name]; !ok {
		t.data[name] = dwords(t.Context, name, d...)
	}
	return t.data[name]
}

// words64 returns 64 bytes of data that repeat the dwords.
func (t *tiler) words64(name string, d ...uint32) Mem {
	name = "w" + name
	if _, ok := t.data[name]; !ok {
		m := t.StaticGlobal(name)
		t.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range 16 {
			t.AddDatum(4*i, U32(d[i%len(d)]))
		}
		t.data[name] = m
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
			x := t.vec()
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
