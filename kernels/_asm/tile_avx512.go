package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The offsets within a tileColumn.
const (
	columnQ, columnD, columnSums, columnDst = 0, 8, 16, 24
	columnSize                              = 32
)

// vnni writes products of tiles with a few columns. A weight register is a step of four
// values of 16 rows; its partner is the same four activations in every lane. superTiles
// go one at a time and meet eight columns, activations broadcast as operands in memory;
// smallTiles go two at a time and meet six, activations broadcast once for both. The
// first takes 1.1 loads a product, the second 0.7, where a core has two loads and two
// products a cycle (Zen 5: products alone 91 % of the peak and 100; 64 columns of q8_0,
// tiles included, 57 and 65). The sums that super-blocks need besides have no place then:
// in memory they cost what was won (prompts of q4_K: Zen 5 the same, 2 and 16 threads of
// Emerald Rapids 5 % slower).
//
// Operands in memory have no index register: on Intel's CPUs those with one take two
// places of the six that a cycle has (Emerald Rapids: the products alone 66 % of the peak
// with an index, 83 % without).
type vnni struct {
	*build.Context
	n, tiles              int // columns, tiles
	q                     [8]reg.GPVirtual
	tile                  [2]reg.GPVirtual
	i, d, sums, cols, tmp reg.GPVirtual
	acc, f                [][]reg.VecPhysical // by tile and column
	isum                  []reg.VecPhysical   // with one tile
	w, x, y               [2]reg.VecPhysical
	z                     reg.VecPhysical
}

var zmm = [...]reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10,
	reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15, reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
	reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}

const mulArgs = "dst *float32, tile *byte, blocks int, q *int8, d *float32, sums *int16, cols *int, n int, first bool, ask, askTo, askStep uintptr"

const asks = "With first it sets dst. Meanwhile it asks for the lines from ask to askTo, and for askStep bytes more each 32 values."

// columns emits a body for each number of columns: to eight with one tile, to six with two.
func columns(c *build.Context, tiles int, body func(v *vnni)) {
	most := 10 - 2*tiles
	n := c.GP64()
	c.Load(c.Param("n"), n)
	for k := most; k > 1; k-- {
		c.CMPQ(n, U8(uint8(k)))
		c.JEQ(LabelRef(fmt.Sprintf("columns%d", k)))
	}
	for k := 1; k <= most; k++ {
		c.Label(fmt.Sprintf("columns%d", k))
		v := &vnni{Context: c, n: k, tiles: tiles}
		for t := range tiles {
			v.acc = append(v.acc, zmm[most*t:][:k])
			v.f = append(v.f, zmm[most*(tiles+t):][:k])
		}
		if tiles == 1 {
			v.isum = zmm[16:][:k]
		}
		for i := range 2 {
			v.w[i], v.x[i], v.y[i] = zmm[24+i], zmm[26+i], zmm[28+i]
		}
		v.z = zmm[30]
		v.start()
		v.Label(v.label("block"))
		body(v)
		v.DECQ(place(c, "blocks"))
		v.JNZ(LabelRef(v.label("block")))
		v.end()
	}
}

func (v *vnni) label(name string) string { return fmt.Sprintf("%s%d", name, v.n) }

func (v *vnni) column(k, off int) Mem { return Mem{Base: v.cols, Disp: columnSize*k + off} }

// at loads column k's offset in one of the arrays and returns the operand there.
func (v *vnni) at(base reg.Register, k, off int) Mem {
	v.MOVQ(v.column(k, off), v.tmp)
	v.ADDQ(base, v.tmp)
	return Mem{Base: v.tmp}
}

// of is the operand at an offset of a tile.
func (v *vnni) of(t, off int) Mem { return Mem{Base: v.tile[t], Disp: off} }

// forward moves on by 32 values and as many bytes of the tiles.
func (v *vnni) forward(bytes int) {
	for t := range v.tiles {
		v.ADDQ(U32(uint32(bytes)), v.tile[t])
	}
	for k := range v.n {
		v.ADDQ(U8(32), v.q[k])
	}
}

func (v *vnni) start() {
	for _, r := range []*reg.GPVirtual{&v.tile[0], &v.tile[1], &v.i, &v.d, &v.sums, &v.cols, &v.tmp} {
		*r = v.GP64()
	}
	v.Load(v.Param("cols"), v.cols)
	v.Load(v.Param("q"), v.d)
	for k := range v.n {
		v.q[k] = v.GP64()
		v.MOVQ(v.column(k, columnQ), v.q[k])
		v.ADDQ(v.d, v.q[k])
	}
	v.Load(v.Param("dst"), v.d)
	for _, f := range v.f {
		v.zero(f)
	}
	v.CMPB(place(v.Context, "first"), U8(0))
	v.JNE(LabelRef(v.label("first")))
	v.eachDst(func(m Mem, f reg.VecPhysical) { v.VMOVUPS(m, f) })
	v.Label(v.label("first"))
	v.Load(v.Param("tile"), v.tile[0])
	if v.tiles == 2 {
		v.Load(v.Param("tile2"), v.tile[1])
	}
	v.Load(v.Param("d"), v.d)
	v.Load(v.Param("sums"), v.sums)
}

func (v *vnni) end() {
	v.Load(v.Param("dst"), v.d)
	v.eachDst(func(m Mem, f reg.VecPhysical) { v.VMOVUPS(f, m) })
	v.VZEROUPPER()
	v.RET()
}

// eachDst calls do with the columns' places in dst, which is in d.
func (v *vnni) eachDst(do func(m Mem, f reg.VecPhysical)) {
	for k := range v.n {
		m := v.at(v.d, k, columnDst)
		for t := range v.tiles {
			do(m.Offset(64*t), v.f[t][k])
		}
	}
}

func (v *vnni) zero(x []reg.VecPhysical) {
	for _, x := range x {
		v.VPXORD(x, x, x)
	}
}

// dot adds steps times four products to acc, weights at an offset of the tiles,
// activations from the first step on.
func (v *vnni) dot(steps, off, first int) {
	for s := range steps {
		if v.tiles == 1 {
			w := v.w[s%2]
			v.VMOVDQU64(v.of(0, off+64*s), w)
			for k := range v.n {
				v.VPDPBUSD_BCST(Mem{Base: v.q[k], Disp: 4 * (first + s)}, w, v.acc[0][k])
			}
			continue
		}
		for t, w := range v.w {
			v.VMOVDQU64(v.of(t, off+64*s), w)
		}
		for k := range v.n {
			y := v.y[k%2]
			v.VPBROADCASTD(Mem{Base: v.q[k], Disp: 4 * (first + s)}, y)
			for t, w := range v.w {
				v.VPDPBUSD(y, w, v.acc[t][k])
			}
		}
	}
}

// pairs adds to isum n pairs of a block's sums times the pairs at an offset of the tile.
func (v *vnni) pairs(n, off int) {
	pair := zmm[:n] // in the place of acc
	for i, x := range pair {
		v.VMOVDQU64(v.of(0, off+64*i), x)
	}
	for k, isum := range v.isum {
		m := v.at(v.sums, k, columnSums)
		for i, x := range pair {
			v.VPDPWSSD_BCST(m.Offset(4*i), x, isum)
		}
	}
}

// step adds float32(sum)*(d*dy) to f, with d at an offset of the tiles.
func (v *vnni) step(sum [][]reg.VecPhysical, off int, minus bool) {
	for t := range v.tiles {
		v.VMOVUPS(v.of(t, off), v.x[t])
	}
	for k := range v.n {
		dy := v.at(v.d, k, columnD)
		if v.tiles == 1 {
			v.VMULPS_BCST(dy, v.x[0], v.y[0])
		} else {
			v.VBROADCASTSS(dy, v.z)
			v.VMULPS(v.z, v.x[0], v.y[0])
			v.VMULPS(v.z, v.x[1], v.y[1])
		}
		for t := range v.tiles {
			x := sum[t][k]
			v.VCVTDQ2PS(x, x)
			if minus {
				v.VFNMADD231PS(v.y[t], x, v.f[t][k])
			} else {
				v.VFMADD231PS(v.y[t], x, v.f[t][k])
			}
		}
	}
}

// mulSuperAVX512 writes the product of superTiles with scales for each sub values
// and codes of some bits. Sums of 16 values with codes of four bits fit 16 bits
// (16*15*128 = 30,720), so that vpdpwssd applies the scale; vpmulld, which others need,
// is two instructions within Intel's CPUs (Emerald Rapids: 53 to 64 % of the peak with
// vpmulld, 80 % with two vpdpwssd) and one within AMD's.
func mulSuperAVX512(sub, bits int) func(c *build.Context) {
	name := fmt.Sprintf("mulSuper%dx%dAVX512", sub, bits)
	return func(c *build.Context) {
		function(c, name, fmt.Sprintf("%s adds the product of superTiles with scales for %d values and codes of %d bits to dst. "+asks, name, sub, bits),
			mulArgs+", corr, min bool")
		columns(c, 1, func(v *vnni) {
			acc, isum := v.acc[0], v.isum
			v.zero(isum)
			flag(c, "corr", v.label("groups"))
			v.pairs(pairsOf(sub), superCorr)
			v.Label(v.label("groups"))
			v.MOVL(U32(8), v.i.As32())
			v.Label(v.label("group"))
			ask(c, v.tmp, v.n)
			for s := range 2 {
				if bits == 4 || s == 0 || sub == 16 {
					v.zero(acc)
				}
				v.dot(4, 256*s, 4*s)
				scale, x := v.of(0, groupScale+s*16/sub*64), v.x[0]
				switch {
				case bits == 4:
					if s == 0 || sub == 16 {
						v.VPSRLD(U8(16), scale, x)
					}
					for k := range v.n {
						v.VPDPWSSD(x, acc[k], isum[k])
					}
				case s == 1 || sub == 16:
					v.VPSRAD(U8(16), scale, x)
					for k := range v.n {
						v.VPMULLD(x, acc[k], acc[k])
						v.VPADDD(acc[k], isum[k], isum[k])
					}
				}
			}
			v.forward(groupSize)
			v.DECL(v.i.As32())
			v.JNZ(LabelRef(v.label("group")))

			const past = 8 * groupSize
			sums := [][]reg.VecPhysical{isum}
			v.step(sums, superD-past, false)
			flag(c, "min", v.label("next"))
			v.zero(isum)
			v.pairs(pairsOf(sub), superMin-past)
			v.step(sums, superDMin-past, true)
			v.Label(v.label("next"))
			v.ADDQ(U32(superSize-past), v.tile[0])
			v.ADDQ(U8(4), v.d)
			v.ADDQ(U8(uint8(4*pairsOf(sub))), v.sums)
		})
	}
}

// flag jumps to label if the argument is false.
func flag(c *build.Context, name, label string) {
	c.CMPB(place(c, name), U8(0))
	c.JEQ(LabelRef(label))
}

// mulSmall32AVX512 writes the product of smallTiles with a scale for 32 values. sums are
// dwords: what a column's products begin with, or what minima are multiplied with.
func mulSmall32AVX512(c *build.Context) {
	const name = "mulSmall32AVX512"
	function(c, name, name+" adds the product of smallTiles, of 16 rows each, with scales for 32 values to dst. "+asks, mulArgs+", tile2 *byte, min bool")
	columns(c, 2, func(v *vnni) {
		sums := func() {
			for k := range v.n {
				v.VPBROADCASTD(v.at(v.sums, k, columnSums), v.acc[0][k])
				v.VMOVDQA64(v.acc[0][k], v.acc[1][k])
			}
		}
		ask(c, v.tmp, v.n)
		for _, acc := range v.acc {
			v.zero(acc)
		}
		c.CMPB(place(c, "min"), U8(0))
		c.JNE(LabelRef(v.label("products")))
		sums()
		v.Label(v.label("products"))
		v.dot(8, 0, 0)
		v.step(v.acc, smallD, false)
		flag(c, "min", v.label("next"))
		sums()
		v.step(v.acc, smallM, false)
		v.Label(v.label("next"))
		v.nextSmall()
	})
}

// mulSmall16AVX512 writes the product of smallTiles with scales for each 16 values.
func mulSmall16AVX512(c *build.Context) {
	const name = "mulSmall16AVX512"
	function(c, name, name+" adds the product of smallTiles, of 16 rows each, with scales for 16 values to dst. "+asks, mulArgs+", tile2 *byte, corr int")
	columns(c, 2, func(v *vnni) {
		ask(c, v.tmp, v.n)
		for s := range 2 {
			v.VPBROADCASTD(place(c, "corr"), v.x[0])
			if s == 0 { // of the two sums in a dword, this half's
				v.VPSRLD(U8(16), v.x[0], v.x[0])
			} else {
				v.VPSLLD(U8(16), v.x[0], v.x[0])
			}
			v.zero(v.acc[0])
			for k, acc := range v.acc[0] {
				v.VPDPWSSD_BCST(v.at(v.sums, k, columnSums), v.x[0], acc)
				v.VMOVDQA64(acc, v.acc[1][k])
			}
			v.dot(4, 256*s, 4*s)
			v.step(v.acc, smallD+64*s, false)
		}
		v.nextSmall()
	})
}

func (v *vnni) nextSmall() {
	v.forward(smallSize)
	v.ADDQ(U8(4), v.d)
	v.ADDQ(U8(4), v.sums)
}
