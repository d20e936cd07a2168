package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowSmall is the product of 16 rows of blocks of 32 values, at least 16 of them. What
// 16 blocks of a row come to is one register of sums; the last 16 of a row may include
// some of those before. A store for each two blocks would leave more than the first
// cache holds.
type rowSmall struct {
	codes func(e *rowEmitter, off int) reg.VecVirtual // of the block at byte off and the one after it
	bits  func(e *rowEmitter, off int)                // loads what a block's scale is made of into tmp, 16 bits
	scale func(e *rowEmitter, bits Mem) reg.VecVirtual
}

const groupBlocks = 16

// Offsets within the room: 16 blocks with rows as lanes, and then what groups of rows
// leave each, as kernels/tile_amd64.go counts them.
const (
	laneSums   = 0                       // [16] 16 float32
	laneScales = laneSums + 16*64        // [16] 16 float32
	groupSums  = laneScales + 16*64      // [16] 16 float32
	groupBits  = groupSums + tileRows*64 // [16] 16 words
	groupRoom  = tileRows * (64 + 32)
)

func (w *rowSmall) write(e *rowEmitter, hold []constant) {
	l := &e.layout
	name := "dot" + l.name + "AVX512"
	function(e.Context, name, fmt.Sprintf("%s sets dst to the products of 16 rows of at least 16 %s blocks with one column. Meanwhile it asks for as many cache lines as it reads, from ask on; beyond askEnd jump bytes later.", name, l.format), rowArgs)
	e.start(hold)
	e.lane[0] = e.K() // the upper half of a register
	e.MOVL(U32(0xff00), e.tmp.As32())
	e.KMOVD(e.tmp.As32(), e.lane[0])
	lines := groupBlocks * l.bytes / 64 // asked for with a group, the rest with its float steps
	step := e.GP64()                    // blocks to the next group
	e.eachRow(tileRows, func(n reg.GPVirtual) {
		e.Label("group")
		var units [8]reg.VecVirtual // two blocks each
		for u := range units {
			for b := 2 * u; b < 2*u+2; b++ {
				w.bits(e, b*l.bytes)
				e.MOVW(e.tmp.As16(), memIdx(e.room, e.eight, 4, groupBits+2*b))
			}
			for line := u * lines / 8; line < (u+1)*lines/8; line++ {
				e.askLine(line)
			}
			units[u] = e.dot(w.codes(e, 2*u*l.bytes), 64*u)
		}
		e.asked(64 * lines)
		var x [2]reg.VecVirtual
		for i := range x {
			x[i] = e.sumLanes(func(j int) reg.VecVirtual { return units[4*i+j] })
		}
		sums, bias := e.quarters(x[0], x[1]), e.ZMM()
		e.VPERMD(sums, e.hot("in_order", 0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15), sums)
		e.VMOVDQU(e.dwords("bias", uint32(uint16(-l.bias))*0x10001), bias)
		e.VPDPWSSD(mem(e.sums, 0), bias, sums)
		e.VCVTDQ2PS(sums, sums)
		e.VMOVUPS(sums, memIdx(e.room, e.eight, 8, groupSums))
		e.nextGroup(n, step, "group", map[reg.GPVirtual]int{e.src: l.bytes, e.q: 32, e.sums: 4})
	})

	dst, f := e.GP64(), e.ZMM()
	n := e.load("dst", dst)
	e.VPXOR(f, f, f)
	e.MOVL(U32(groupBlocks), step.As32())
	e.Label("steps")
	e.askFor(tileRows * (groupBlocks*l.bytes - 64*lines))
	dy := e.ZMM()
	e.VMOVUPS(mem(e.d, 0), dy)
	columns := e.GP64()
	e.Load(e.Param("room"), columns)
	e.storeColumns(mem(columns, laneSums), func(row int) reg.VecVirtual {
		x := e.ZMM()
		e.VMOVUPS(mem(e.room, groupSums+64*row), x)
		return x
	})
	e.storeColumns(mem(columns, laneScales), func(row int) reg.VecVirtual {
		x := w.scale(e, mem(e.room, groupBits+32*row))
		e.VMULPS(dy, x, x)
		return x
	})
	e.MOVL(U32(groupBlocks), e.tmp.As32()) // those before step are done
	e.SUBQ(step, e.tmp)
	e.SHLQ(U8(6), e.tmp)
	e.ADDQ(e.tmp, columns)
	e.MOVQ(step, e.tmp)
	e.Label("step")
	x := e.ZMM()
	e.VMOVUPS(mem(columns, laneSums), x)
	e.VFMADD231PS(mem(columns, laneScales), x, f)
	e.ADDQ(U8(64), columns)
	e.DECQ(e.tmp)
	e.JNZ(LabelRef("step"))
	e.nextGroup(n, step, "steps", map[reg.GPVirtual]int{e.d: 4})
	e.VMOVUPS(f, mem(dst, 0))
	e.VZEROUPPER()
	e.RET()
}

// nextGroup jumps to the label, unless n blocks were the last: step blocks on, the
// pointers by that many times some bytes.
func (e *rowEmitter) nextGroup(n, step reg.GPVirtual, label string, pointers map[reg.GPVirtual]int) {
	e.SUBQ(U8(groupBlocks), n)
	e.JLE(LabelRef(label + "_end"))
	e.MOVL(U32(groupBlocks), step.As32())
	e.CMPQ(n, step)
	e.CMOVQLT(n, step)
	for _, p := range []reg.GPVirtual{e.src, e.q, e.sums, e.d} {
		if bytes := pointers[p]; bytes > 0 {
			e.IMUL3Q(U32(uint32(bytes)), step, e.tmp)
			e.ADDQ(e.tmp, p)
		}
	}
	e.ADDQ(U32(groupRoom), e.room)
	e.JMP(LabelRef(label))
	e.Label(label + "_end")
}

// storeColumns transposes 16 rows of 16 dwords.
func (e *rowEmitter) storeColumns(out Mem, row func(row int) reg.VecVirtual) {
	var fours [4][4]reg.VecVirtual // rows, columns: a quarter of the i-th is column 4*quarter+i
	for k := range fours {
		fours[k] = e.transpose([4]reg.VecVirtual{row(4 * k), row(4*k + 1), row(4*k + 2), row(4*k + 3)})
	}
	pick := func(imm uint8, x, y reg.VecVirtual) reg.VecVirtual {
		z := e.ZMM()
		e.VSHUFI32X4(U8(imm), y, x, z)
		return z
	}
	for i := range 4 {
		even := [2]reg.VecVirtual{pick(0x88, fours[0][i], fours[1][i]), pick(0x88, fours[2][i], fours[3][i])}
		odd := [2]reg.VecVirtual{pick(0xdd, fours[0][i], fours[1][i]), pick(0xdd, fours[2][i], fours[3][i])}
		for quarter, x := range []reg.VecVirtual{
			pick(0x88, even[0], even[1]), pick(0x88, odd[0], odd[1]),
			pick(0xdd, even[0], even[1]), pick(0xdd, odd[0], odd[1]),
		} {
			e.VMOVUPS(x, out.Offset(64*(4*quarter+i)))
		}
	}
}

// halfBits and half are bits and scale of a float16 in a block's first bytes.
func halfBits(e *rowEmitter, off int) { e.MOVWLZX(e.in(off), e.tmp.As32()) }

func half(e *rowEmitter, bits Mem) reg.VecVirtual {
	x := e.ZMM()
	e.VCVTPH2PS(bits, x)
	return x
}

var q8_0Row = rowSmall{func(e *rowEmitter, off int) reg.VecVirtual {
	x := e.ZMM()
	e.VMOVDQU(e.in(off+2), x.AsY())
	e.VINSERTI64X4(U8(1), e.in(off+36), x, x)
	e.VPXOR(e.hot("flip", 0x80808080), x, x)
	return x
}, halfBits, half}
