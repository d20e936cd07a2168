package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// madd writes products of tiles with 1 to 4 columns from vpmaddubsw, which adds
// products of unsigned and signed bytes in pairs, to 16 bits and with saturation.
// How many of its results may be added in 16 bits before vpmaddwd applies the
// scale and widens depends on the codes: four up to 31 (4*2*31*127 = 31,496), two
// up to 64 (2*2*64*127 = 32,512). Codes of 8 bits take the sign of the weight to
// the activation: at most 2*128*127 = 32,512, once.
//
// Eight rows go at a time, because 16 registers hold no more.
type madd struct {
	*build.Context
	n, bits                                        int
	q                                              [4]reg.GPVirtual
	tile, i, d, sums, cols, dst, tmp, blocks, half reg.GPVirtual
	isum                                           [4]reg.VecVirtual
	data                                           map[string]Mem
}

// maddColumns emits a body for each number of columns.
func maddColumns(c *build.Context, bits int, body func(v *madd)) {
	n := c.GP64()
	c.Load(c.Param("n"), n)
	for k := 4; k > 1; k-- {
		c.CMPQ(n, U8(uint8(k)))
		c.JEQ(LabelRef(fmt.Sprintf("columns%d", k)))
	}
	data := map[string]Mem{}
	for k := 1; k <= 4; k++ {
		c.Label(fmt.Sprintf("columns%d", k))
		v := &madd{Context: c, n: k, bits: bits, data: data}
		v.start()
		body(v)
		v.end()
	}
}

func (v *madd) label(name string) string { return fmt.Sprintf("%s%d", name, v.n) }

func (v *madd) column(k, off int) Mem { return Mem{Base: v.cols, Disp: columnSize*k + off} }

func (v *madd) at(base reg.Register, k, off int) Mem {
	v.MOVQ(v.column(k, off), v.tmp)
	return Mem{Base: base, Index: v.tmp, Scale: 1}
}

func (v *madd) start() {
	v.tile, v.i, v.d, v.sums, v.cols, v.dst, v.tmp = v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.blocks, v.half = v.GP64(), v.GP64()
	v.Load(v.Param("cols"), v.cols)
	v.Load(v.Param("q"), v.tmp)
	for k := range v.n {
		v.q[k] = v.GP64()
		v.MOVQ(v.column(k, columnQ), v.q[k])
		v.ADDQ(v.tmp, v.q[k])
		v.isum[k] = v.YMM()
	}
	v.Load(v.Param("dst"), v.dst)
	v.CMPB(place(v.Context, "first"), U8(0))
	v.JEQ(LabelRef(v.label("more")))
	v.zero()
	for k := range v.n {
		m := v.at(v.dst, k, columnDst)
		v.VMOVUPS(v.isum[0], m)
		m.Disp = 32
		v.VMOVUPS(v.isum[0], m)
	}
	v.Label(v.label("more"))
	v.XORL(v.half.As32(), v.half.As32())
	v.Label(v.label("half"))
	v.Load(v.Param("tile"), v.tile)
	v.ADDQ(v.half, v.tile)
	v.Load(v.Param("blocks"), v.blocks)
	v.Load(v.Param("d"), v.d)
	v.Load(v.Param("sums"), v.sums)
	v.XORL(v.i.As32(), v.i.As32())
	v.Label(v.label("block"))
}

func (v *madd) end() {
	v.DECQ(v.blocks)
	v.JNZ(LabelRef(v.label("block")))
	v.ADDQ(U8(32), v.dst)
	v.ADDQ(U8(32), v.half)
	v.CMPQ(v.half, U8(64))
	v.JNE(LabelRef(v.label("half")))
	v.VZEROUPPER()
	v.RET()
}

func (v *madd) at8(off int) Mem { return Mem{Base: v.tile, Disp: off} }

func (v *madd) zero() {
	for _, x := range v.isum[:v.n] {
		v.VPXOR(x, x, x)
	}
}

// dot adds the products of four steps, weights at tile+off, activations at i+disp, to
// isum, times scale.
func (v *madd) dot(off, disp int, scale Op) {
	x := func(k, s int) reg.VecVirtual {
		x := v.YMM()
		v.VPBROADCASTD(Mem{Base: v.q[k], Index: v.i, Scale: 1, Disp: disp + 4*s}, x)
		return x
	}
	add := func(t reg.VecVirtual, k int) {
		v.VPMADDWD(scale, t, t)
		v.VPADDD(t, v.isum[k], v.isum[k])
	}
	if v.bits == 8 {
		for s := range 4 {
			w, abs := v.YMM(), v.YMM()
			v.VMOVDQU(v.at8(off+64*s), w)
			v.VPXOR(v.dwords("flip", 0x80808080), w, w)
			v.VPABSB(w, abs)
			for k := range v.n {
				t := x(k, s)
				v.VPSIGNB(w, t, t)
				v.VPMADDUBSW(t, abs, t)
				add(t, k)
			}
		}
		return
	}
	var w [4]reg.VecVirtual
	for s := range w {
		w[s] = v.YMM()
		v.VMOVDQU(v.at8(off+64*s), w[s])
	}
	together := 4
	if v.bits == 6 {
		together = 2
	}
	for k := range v.n {
		var t reg.VecVirtual
		for s := range w {
			u := x(k, s)
			v.VPMADDUBSW(u, w[s], u)
			if s%together == 0 {
				t = u
			} else {
				v.VPADDW(u, t, t)
			}
			if s%together == together-1 {
				add(t, k)
			}
		}
	}
}

// pairs adds n pairs of a block's sums times the pairs at tile+off to isum.
func (v *madd) pairs(n, off int) {
	for k := range v.n {
		m := v.at(v.sums, k, columnSums)
		for i := range n {
			m.Disp = 4 * i
			t := v.YMM()
			v.VPBROADCASTD(m, t)
			v.VPMADDWD(v.at8(off+64*i), t, t)
			v.VPADDD(t, v.isum[k], v.isum[k])
		}
	}
}

// step adds float32(isum)*(d*dy) to dst.
func (v *madd) step(off int, minus bool) {
	d := v.YMM()
	v.VMOVUPS(v.at8(off), d)
	for k := range v.n {
		t, f := v.YMM(), v.YMM()
		v.VBROADCASTSS(v.at(v.d, k, columnD), t)
		v.VMULPS(d, t, t)
		v.VCVTDQ2PS(v.isum[k], v.isum[k])
		m := v.at(v.dst, k, columnDst)
		v.VMOVUPS(m, f)
		if minus {
			v.VFNMADD231PS(t, v.isum[k], f)
		} else {
			v.VFMADD231PS(t, v.isum[k], f)
		}
		v.VMOVUPS(f, m)
	}
}

func (v *madd) dwords(name string, dword uint32) Mem {
	if m, ok := v.data[name]; ok {
		return m
	}
	v.data[name] = dwords(v.Context, name, dword)
	return v.data[name]
}

// mulSuperAVX2 writes the product of superTiles with scales for each sub values
// and codes of some bits.
func mulSuperAVX2(sub, bits int) func(c *build.Context) {
	name := fmt.Sprintf("mulSuper%dx%dAVX2", sub, bits)
	return func(c *build.Context) {
		function(c, name, fmt.Sprintf("%s adds the product of superTiles with scales for %d values and codes of %d bits to dst. "+asks, name, sub, bits),
			mulArgs+", corr, min bool")
		maddColumns(c, bits, func(v *madd) {
			v.zero()
			if bits != 8 {
				flag(c, "corr", v.label("group"))
				v.pairs(pairsOf(sub), superCorr)
			}
			v.Label(v.label("group"))
			ask(c, v.tmp, v.n)
			for s := range 2 {
				v.dot(256*s, 16*s, v.at8(groupScale+s*16/sub*64))
			}
			v.ADDQ(U32(groupSize), v.tile)
			v.ADDQ(U8(32), v.i)
			v.TESTB(U8(0xff), v.i.As8())
			v.JNZ(LabelRef(v.label("group")))

			const past = 8 * groupSize
			v.step(superD-past, false)
			flag(c, "min", v.label("next"))
			v.zero()
			v.pairs(pairsOf(sub), superMin-past)
			v.step(superDMin-past, true)
			v.Label(v.label("next"))
			v.ADDQ(U32(superSize-past), v.tile)
			v.ADDQ(U8(4), v.d)
			v.ADDQ(U8(uint8(4*pairsOf(sub))), v.sums)
		})
	}
}

// mulSmall32AVX2 writes the product of smallTiles with a scale for 32 values and codes
// of some bits. sums are dwords: what the bias of a column's codes adds, taken off, or
// what minima are multiplied with.
func mulSmall32AVX2(bits int) func(c *build.Context) {
	name := fmt.Sprintf("mulSmall32x%dAVX2", bits)
	return func(c *build.Context) {
		function(c, name, fmt.Sprintf("%s adds the product of smallTiles with scales for 32 values and codes of %d bits to dst. "+asks, name, bits),
			mulArgs+", min bool")
		maddColumns(c, bits, func(v *madd) {
			sums := func() {
				for k := range v.n {
					v.VPBROADCASTD(v.at(v.sums, k, columnSums), v.isum[k])
				}
			}
			ask(c, v.tmp, v.n)
			v.zero()
			if bits != 8 {
				c.CMPB(place(c, "min"), U8(0))
				c.JNE(LabelRef(v.label("products")))
				sums()
				v.Label(v.label("products"))
			}
			for s := range 2 {
				v.dot(256*s, 16*s, v.dwords("ones", 0x10001))
			}
			v.step(smallD, false)
			flag(c, "min", v.label("next"))
			sums()
			v.step(smallM, false)
			v.Label(v.label("next"))
			v.nextSmall()
		})
	}
}

// mulSmall16AVX2 writes the product of smallTiles with scales for each 16 values and
// codes of some bits, fewer than 8.
func mulSmall16AVX2(bits int) func(c *build.Context) {
	name := fmt.Sprintf("mulSmall16x%dAVX2", bits)
	return func(c *build.Context) {
		function(c, name, fmt.Sprintf("%s adds the product of smallTiles with scales for 16 values and codes of %d bits to dst. "+asks, name, bits),
			mulArgs+", corr int")
		maddColumns(c, bits, func(v *madd) {
			ask(c, v.tmp, v.n)
			for s := range 2 {
				v.zero()
				v.dot(256*s, 16*s, v.dwords("ones", 0x10001))
				w := v.YMM()
				v.VPBROADCASTD(place(c, "corr"), w)
				if s == 0 { // of the two sums in a dword, this half's
					v.VPSRLD(U8(16), w, w)
				} else {
					v.VPSLLD(U8(16), w, w)
				}
				for k := range v.n {
					t := v.YMM()
					v.VPBROADCASTD(v.at(v.sums, k, columnSums), t)
					v.VPMADDWD(w, t, t)
					v.VPADDD(t, v.isum[k], v.isum[k])
				}
				v.step(smallD+64*s, false)
			}
			v.nextSmall()
		})
	}
}

func (v *madd) nextSmall() {
	v.ADDQ(U32(smallSize), v.tile)
	v.ADDQ(U8(32), v.i)
	v.ADDQ(U8(4), v.d)
	v.ADDQ(U8(4), v.sums)
}
