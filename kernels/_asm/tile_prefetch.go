package main

import (
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
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
