package main

import (
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// tileSums writes what adds the sums of 16 activations in pairs.
func tileSums(c *build.Context) {
	function(c, "tileSums", "tileSums sets 8*n values at dst to the sums of two neighbours of 16*n at src.", "dst, src *int16, n int")
	dst, src, n := c.GP64(), c.GP64(), c.GP64()
	c.Load(c.Param("dst"), dst)
	c.Load(c.Param("src"), src)
	c.Load(c.Param("n"), n)
	one := c.YMM()
	c.VMOVDQU(dwords(c, "ones", 0x10001), one)
	c.Label("loop")
	x, y := c.YMM(), c.XMM()
	c.VPMADDWD(mem(src, 0), one, x)
	c.VEXTRACTI128(U8(1), x, y)
	c.VPACKSSDW(y, x.AsX(), x.AsX())
	c.VMOVDQU(x.AsX(), mem(dst, 0))
	c.ADDQ(U8(32), src)
	c.ADDQ(U8(16), dst)
	c.DECQ(n)
	c.JNZ(LabelRef("loop"))
	c.VZEROUPPER()
	c.RET()
}
