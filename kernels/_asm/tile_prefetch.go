package main

import (
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func tilePrefetch(c *build.Context) {
	function(c, "tilePrefetch", "tilePrefetch asks for the cache lines of bytes lo to hi-1 behind p.", "p *byte, lo, hi int")
	p, lo, hi := c.GP64(), c.GP64(), c.GP64()
	c.Load(c.Param("p"), p)
	c.Load(c.Param("lo"), lo)
	c.Load(c.Param("hi"), hi)
	c.Label("test")
	c.CMPQ(lo, hi)
	c.JGE(LabelRef("done"))
	c.PREFETCHT1(Mem{Base: p, Index: lo, Scale: 1})
	c.ADDQ(U8(64), lo)
	c.JMP(LabelRef("test"))
	c.Label("done")
	c.RET()
}
