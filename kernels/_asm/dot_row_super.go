package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowSuper is the product of eight rows of super-blocks.
type rowSuper struct {
	emit  func(e *rowEmitter)                                     // the code for one block of a row
	scale func(e *rowEmitter, bits reg.VecVirtual) reg.VecVirtual // of all rows, from what keepBits took
}

// superRows is how many rows go at once: what they leave has to stay in the first cache.
const superRows = 8

// Offsets within a block's room, superRoom of kernels/tile_amd64.go.
const (
	rowSums = 0                      // [8] 16 dwords
	rowBits = rowSums + superRows*64 // [8] dwords, and room up to a whole line
	rowRoom = rowBits + 64
)

func (w *rowSuper) write(e *rowEmitter, hold []constant) {
	l := &e.layout
	name := "dot" + l.name + "AVX512"
	function(e.Context, name, fmt.Sprintf("%s adds the products of %d rows of %s blocks with one column to dst. Meanwhile it asks for as many cache lines as it reads, from ask on; beyond askEnd jump bytes later.", name, superRows, l.format), rowArgs)
	e.start(hold)
	early := l.bytes / 64 * 64 // bytes asked for with a block, the rest with its float step
	e.eachRow(superRows, func(n reg.GPVirtual) {
		e.Label("block")
		e.askFor(early)
		w.emit(e)
		e.ADDQ(U32(uint32(l.bytes)), e.src)
		e.ADDQ(U32(256), e.q)
		e.ADDQ(U8(32), e.sums)
		e.ADDQ(U32(rowRoom), e.room)
		e.DECQ(n)
		e.JNZ(LabelRef("block"))
	})

	dst, f := e.GP64(), e.YMM()
	n := e.load("dst", dst)
	e.VMOVDQU(mem(dst, 0), f)
	e.Label("step")
	e.askFor(superRows * (l.bytes - early))
	bits := e.ZMM() // the lower half
	e.VMOVDQU(mem(e.room, rowBits), bits.AsY())
	d := w.scale(e, bits)
	var fours [2]reg.VecVirtual // rows 0 to 3, and 4 to 7
	for k := range fours {
		fours[k] = e.sumLanes(func(i int) reg.VecVirtual {
			x := e.ZMM()
			e.VMOVDQU(mem(e.room, rowSums+64*(4*k+i)), x)
			return x
		})
	}
	x := e.quarters(fours[0], fours[1])
	sums, d8 := e.quarters(x, x).AsY(), d.AsY()
	e.VMULPS_BCST(mem(e.d, 0), d8, d8)
	e.VCVTDQ2PS(sums, sums)
	e.VFMADD231PS(d8, sums, f)
	e.ADDQ(U8(4), e.d)
	e.ADDQ(U32(rowRoom), e.room)
	e.DECQ(n)
	e.JNZ(LabelRef("step"))
	e.VMOVDQU(f, mem(dst, 0))
	e.VZEROUPPER()
	e.RET()
}

// keepSums and keepBits take what a block comes to, the second the dword at byte off of
// it.
func (e *rowEmitter) keepSums(x reg.VecVirtual) {
	e.VMOVDQU(x, memIdx(e.room, e.eight, 8, rowSums))
}

func (e *rowEmitter) keepBits(off int) {
	e.MOVL(e.in(off), e.tmp.As32())
	e.MOVL(e.tmp.As32(), memIdx(e.room, e.four, 1, rowBits))
}

// packed returns 16-bit words: of each quarter four sums of x, then four of y.
func (e *rowEmitter) packed(x, y reg.VecVirtual) reg.VecVirtual {
	e.VPACKSSDW(y, x, x)
	return x
}

var q6KRow = rowSuper{
	emit: func(e *rowEmitter) {
		e.keepBits(206)                 // in the upper half
		scale, corr := e.YMM(), e.YMM() // their upper halves are zero
		e.VPMOVSXBW(e.in(192), scale)
		isum, zero := e.ZMM(), e.ZMM()
		e.VPMADDWD(mem(e.sums, 0), scale, corr)
		e.VPSLLD(U8(5), corr, corr)
		e.VPXOR(zero, zero, zero)
		e.VPSUBD(corr.AsZ(), zero, isum)
		mid2 := e.hot("mid2", 0x30303030)
		for h := range 2 {
			low, high, top := e.ZMM(), e.ZMM(), e.ZMM()
			e.VMOVDQU(e.in(64*h), low)
			e.VPSRLW(U8(4), low, high)
			e.VBROADCASTI64X4(e.in(128+32*h), top)
			for i, x := range []reg.VecVirtual{low, high} { // 64 values
				y := e.ZMM()
				if i == 0 {
					e.VPSLLVD(e.hot("up", 4, 4, 4, 4, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2), top, y)
				} else {
					e.VPSRLVD(e.hot("down", 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2), top, y)
				}
				e.VPAND(e.hot("low4", 0x0f0f0f0f), x, x)
				e.VPTERNLOGD(U8(0xf8), mid2, y, x) // x | y&mid2
			}
			x := e.packed(e.dot(low, 128*h), e.dot(high, 128*h+64))
			s := e.ZMM()
			e.VPERMW(scale.AsZ(), e.hot(fmt.Sprintf("scales%d", h), words64(func(i int) uint16 { return uint16(8*h + i%8/4*4 + i/8) })...), s)
			e.VPDPWSSD(s, x, isum)
		}
		e.keepSums(isum)
	},
	scale: func(e *rowEmitter, bits reg.VecVirtual) reg.VecVirtual {
		e.VPSRLD(U8(16), bits, bits)
		return e.lowHalves(bits)
	},
}
