package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func tilePrefetch(c *build.Context) {
	function(c, "tilePrefetch", "tilePrefetch asks for the cache lines of n bytes at p and at each stride after it, rows in all.", "p *byte, stride, rows, n int")
	p, stride, rows, n, i := c.GP64(), c.GP64(), c.GP64(), c.GP64(), c.GP64()
	c.Load(c.Param("p"), p)
	c.Load(c.Param("stride"), stride)
	c.Load(c.Param("rows"), rows)
	c.Load(c.Param("n"), n)
	c.Label("row")
	c.XORL(i.As32(), i.As32())
	c.Label("line")
	c.PREFETCHT1(Mem{Base: p, Index: i, Scale: 1})
	c.ADDQ(U8(64), i)
	c.CMPQ(i, n)
	c.JLT(LabelRef("line"))
	c.ADDQ(stride, p)
	c.DECQ(rows)
	c.JNZ(LabelRef("row"))
	c.RET()
}

// ask asks for the lines from ask to askTo, which are parameters, and moves askTo on.
// Products of tiles do so every 32 values: a core that asks for a tile's lines at once
// waits for them (Emerald Rapids: q4_K tiles took six times as long).
func ask(c *build.Context, tmp reg.GPVirtual, n int) {
	more, done := fmt.Sprintf("ask%d", n), fmt.Sprintf("asked%d", n)
	c.MOVQ(place(c, "ask"), tmp)
	c.CMPQ(tmp, place(c, "askTo"))
	c.JCC(LabelRef(done))
	c.Label(more)
	c.PREFETCHT1(Mem{Base: tmp})
	c.ADDQ(U8(64), tmp)
	c.CMPQ(tmp, place(c, "askTo"))
	c.JCS(LabelRef(more))
	c.MOVQ(tmp, place(c, "ask"))
	c.Label(done)
	c.MOVQ(place(c, "askStep"), tmp)
	c.ADDQ(tmp, place(c, "askTo"))
}

// place is that of a parameter, which may be written to.
func place(c *build.Context, name string) Mem {
	m, err := c.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return m.Addr
}
