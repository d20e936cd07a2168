package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowEmitter writes products of rows with one column, with AVX-512, that read one row
// after the other, as memory has them: on two Zen 4 cores that share 45 to 50 GB/s, and
// on two of Emerald Rapids at 24, rows read side by side take 78 and 82 to 89 % of what
// plain reading does, however far ahead they are asked for.
//
// Values are met in their order, so that a dword of sums belongs to four of them. What
// a row comes to waits in room until it is there for all rows; then rows become lanes,
// and each block has its float step.
type rowEmitter struct {
	tiler
	src, q, sums reg.GPVirtual // where the row is, and its activations
	d            reg.GPVirtual // their scales
	room         reg.GPVirtual
	four, eight  reg.GPVirtual // 4 and 8 times the row's number
	tmp          reg.GPVirtual
	ask          reg.GPVirtual
	jumps        int
}

// rowKernel is a layout's product: a rowSuper or a rowSmall.
type rowKernel interface {
	write(e *rowEmitter, hold []constant)
}

// dotRow writes the function dot<name>AVX512 of a layout with row.
func (l layout) dotRow(c *build.Context, data map[string]Mem) {
	dry := &rowEmitter{tiler: tiler{Context: build.NewContext(), layout: l, data: map[string]Mem{}, evex: true, wide: true}}
	l.row.write(dry, nil)
	e := &rowEmitter{tiler: tiler{Context: c, layout: l, data: data, evex: true, wide: true}}
	l.row.write(e, dry.wanted)
}

const rowArgs = "dst *float32, src *byte, stride, blocks int, ask, askEnd uintptr, jump int, q *int8, d *float32, sums *int16, room *byte"

func (e *rowEmitter) start(hold []constant) {
	for _, r := range []*reg.GPVirtual{&e.src, &e.q, &e.sums, &e.d, &e.room, &e.four, &e.eight, &e.tmp, &e.ask} {
		*r = e.GP64()
	}
	e.Load(e.Param("ask"), e.ask)
	e.hold(hold)
}

// eachRow emits body for rows, which begins with the row's registers set.
func (e *rowEmitter) eachRow(rows int, body func(n reg.GPVirtual)) {
	e.XORL(e.four.As32(), e.four.As32())
	e.XORL(e.eight.As32(), e.eight.As32())
	e.Label("row")
	body(e.load("src", e.src))
	e.MOVQ(place(e.Context, "stride"), e.src)
	e.ADDQ(e.src, place(e.Context, "src"))
	e.ADDQ(U8(8), e.eight)
	e.ADDQ(U8(4), e.four)
	e.CMPQ(e.four, U8(uint8(4*rows)))
	e.JNE(LabelRef("row"))
}

// load loads a pointer, and those of activations and room, and returns the number of
// blocks in a register.
func (e *rowEmitter) load(pointer string, p reg.GPVirtual) reg.GPVirtual {
	n := e.GP64()
	e.Load(e.Param(pointer), p)
	e.Load(e.Param("q"), e.q)
	e.Load(e.Param("d"), e.d)
	e.Load(e.Param("sums"), e.sums)
	e.Load(e.Param("room"), e.room)
	e.Load(e.Param("blocks"), n)
	return n
}

// How far ahead lines are asked for, into the second cache and again into the first.
// Zen 5 would have them farther (q6_K beside q4_K's rows side by side, from memory, 100 %
// at 9216, 104 at 12288, 107 at 16384), Emerald Rapids not (111, 110, 107).
const askAhead, askAgain = 12288, 5376

// askFor asks for the next bytes, in as many instructions. The float steps ask too:
// memory would be idle meanwhile. From askEnd on it goes on jump bytes later.
func (e *rowEmitter) askFor(bytes int) {
	for line := range (bytes + 63) / 64 {
		e.askLine(line)
	}
	e.asked(bytes)
}

func (e *rowEmitter) askLine(line int) {
	e.PREFETCHT1(mem(e.ask, 64*line))
	e.PREFETCHT0(mem(e.ask, 64*line+askAgain-askAhead))
}

func (e *rowEmitter) asked(bytes int) {
	e.jumps++
	more := fmt.Sprintf("more%d", e.jumps)
	e.ADDQ(U32(uint32(bytes)), e.ask)
	e.CMPQ(e.ask, place(e.Context, "askEnd"))
	e.JCS(LabelRef(more))
	e.ADDQ(place(e.Context, "jump"), e.ask)
	e.MOVQ(I32(-1), place(e.Context, "askEnd"))
	e.Label(more)
}

// in is the operand at byte off of where the row is.
func (e *rowEmitter) in(off int) Mem { return mem(e.src, off) }

// merge adds the lanes of x and of y that low and high choose from both.
func (e *rowEmitter) merge(x, y reg.VecVirtual, low, high func(ops ...Op)) reg.VecVirtual {
	a, b := e.ZMM(), e.ZMM()
	low(y, x, a)
	high(y, x, b)
	e.VPADDD(b, a, a)
	return a
}

func (e *rowEmitter) quarters(x, y reg.VecVirtual) reg.VecVirtual {
	pick := func(imm uint8) func(ops ...Op) {
		return func(ops ...Op) { e.VSHUFI32X4(append([]Op{U8(imm)}, ops...)...) }
	}
	return e.merge(x, y, pick(0x88), pick(0xdd))
}

// sumLanes adds up four dwords in each quarter of four vectors: dword i is of the i-th.
func (e *rowEmitter) sumLanes(vector func(i int) reg.VecVirtual) reg.VecVirtual {
	var two [2]reg.VecVirtual
	for i := range two {
		two[i] = e.merge(vector(2*i), vector(2*i+1), e.VPUNPCKLDQ, e.VPUNPCKHDQ)
	}
	return e.merge(two[0], two[1], e.VPUNPCKLQDQ, e.VPUNPCKHQDQ)
}

// dot returns the sums of four products of 64 codes each with the activations from i on.
func (e *rowEmitter) dot(codes reg.VecVirtual, i int) reg.VecVirtual {
	x := e.ZMM()
	e.VPXOR(x, x, x)
	e.VPDPBUSD(mem(e.q, i), codes, x)
	return x
}
