package main

import (
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func tilePrefetch(c *build.Context) {
	function(c, "tilePrefetch", "tilePrefetch asks for the cache lines of n bytes at p.", "p *byte, n int")
	p, n := c.GP64(), c.GP64()
	c.Load(c.Param("p"), p)
	c.Load(c.Param("n"), n)
	c.ADDQ(p, n)
	c.Label("line")
	c.PREFETCHT1(Mem{Base: p})
	c.ADDQ(U8(64), p)
	c.CMPQ(p, n)
	c.JLT(LabelRef("line"))
	c.RET()
}
