package main

import (
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

// tiler writes kernels that turn 16 rows of a format's blocks into tiles. It
// needs no more than AVX2, whose shuffles are as fast in bytes a cycle as
// those of 512 bits on the CPU this was measured on (Zen 4), so that both tables use it.
//
// The rows go in two halves of eight: rows 0-3 of a half are the low 128 bits of
// a register, rows 4-7 the high ones.
type tiler struct {
	*build.Context
	dst    reg.GPVirtual // tile, at the half's first row
	lo, hi reg.GPVirtual // block of rows 0 and 4 of the half
	s, s3  reg.GPVirtual // stride, 3*stride
	data   map[string]Mem
}

// tile writes the function name(dst, src *byte, stride, blocks int), which turns
// that many blocks of 16 rows into as many records; block emits the code for one
// block of eight rows.
func tile(c *build.Context, name, doc string, bytes, size int, block func(t *tiler)) {
	function(c, name, doc, "dst, src *byte, stride, blocks int")
	t := &tiler{Context: c, dst: c.GP64(), lo: c.GP64(), hi: c.GP64(), s: c.GP64(), s3: c.GP64(), data: map[string]Mem{}}
	dst, src, n, half := c.GP64(), c.GP64(), c.GP64(), c.GP64()
	c.Load(c.Param("dst"), dst)
	c.Load(c.Param("src"), src)
	c.Load(c.Param("stride"), t.s)
	c.LEAQ(Mem{Base: t.s, Index: t.s, Scale: 2}, t.s3)
	c.MOVQ(U32(2), half)
	c.Label("half")
	c.MOVQ(dst, t.dst)
	c.MOVQ(src, t.lo)
	c.LEAQ(Mem{Base: src, Index: t.s, Scale: 4}, t.hi)
	c.Load(c.Param("blocks"), n)
	c.Label("block")
	block(t)
	c.ADDQ(U32(size), t.dst)
	c.ADDQ(U32(bytes), t.lo)
	c.ADDQ(U32(bytes), t.hi)
	c.DECQ(n)
	c.JNZ(LabelRef("block"))
	c.ADDQ(U8(32), dst) // rows 8 to 15
	c.LEAQ(Mem{Base: src, Index: t.s, Scale: 8}, src)
	c.DECQ(half)
	c.JNZ(LabelRef("half"))
	c.VZEROUPPER()
	c.RET()
}

func function(c *build.Context, name, doc, args string) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr("func(" + args + ")")
	c.Doc(doc)
	c.Pragma("noescape")
}

// row is the operand at byte off of row r's block.
func (t *tiler) row(r, off int) Mem {
	m := Mem{Base: t.lo, Disp: off}
	if r >= 4 {
		m.Base = t.hi
	}
	switch r % 4 {
	case 1:
		m.Index, m.Scale = t.s, 1
	case 2:
		m.Index, m.Scale = t.s, 2
	case 3:
		m.Index, m.Scale = t.s3, 1
	}
	return m
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

// words returns the dword at byte off of eight rows.
func (t *tiler) words(off int) reg.VecVirtual {
	x, y, z := t.XMM(), t.XMM(), t.YMM()
	for i, x := range [2]reg.VecVirtual{x, y} {
		t.VMOVD(t.row(4*i, off), x)
		for r := 1; r < 4; r++ {
			t.VPINSRD(U8(uint8(r)), t.row(4*i+r, off), x, x)
		}
	}
	t.VINSERTI128(U8(1), y, x.AsY(), z)
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
	x, y := t.XMM(), t.YMM()
	t.VPXOR(x, x, x)
	for r := range 8 {
		t.VPINSRW(U8(uint8(r)), t.row(r, off), x, x)
	}
	t.VCVTPH2PS(x, y)
	return y
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

func dwords(c *build.Context, name string, d ...uint32) Mem {
	m := c.StaticGlobal(name)
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		c.AddDatum(4*i, U32(d[i%len(d)]))
	}
	return m
}
