package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Columns of one call, and the offsets within a tileColumn.
const (
	tileColumns = 8

	columnQ, columnD, columnSums, columnDst = 0, 8, 16, 24
	columnSize                              = 32
)

// vnni writes products of tiles with 1 to 8 columns. A weight register is a step
// of four values of 16 rows; its partner is the same four activations in every
// lane, which vpdpbusd broadcasts from memory at no cost: 1.00 cycles against 0.99
// from a register on Zen 4, and the one load of weights a step hides behind eight of
// them. Operands in memory have no index register: on Intel's CPUs those with one
// take two places of the six that a cycle has (Emerald Rapids: the products alone 66 %
// of the peak with an index, 83 % without).
type vnni struct {
	*build.Context
	n                           int // columns
	q                           [tileColumns]reg.GPVirtual
	tile, i, d, sums, cols, tmp reg.GPVirtual
	acc, isum, f                [tileColumns]reg.VecPhysical
	w                           [2]reg.VecPhysical
	x, y, z                     reg.VecPhysical
}

func z(i int) reg.VecPhysical { return zmm[i] }

var zmm = [...]reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10,
	reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15, reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
	reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}

const mulArgs = "dst *float32, tile *byte, blocks int, q *int8, d *float32, sums *int16, cols *int, n int, first bool, ask, askTo, askStep uintptr"

const asks = "With first it sets dst. Meanwhile it asks for the lines from ask to askTo, and for askStep bytes more each 32 values."

// columns emits a body for each number of columns.
func columns(c *build.Context, body func(v *vnni)) {
	n := c.GP64()
	c.Load(c.Param("n"), n)
	for k := tileColumns; k > 1; k-- {
		c.CMPQ(n, U8(uint8(k)))
		c.JEQ(LabelRef(fmt.Sprintf("columns%d", k)))
	}
	for k := 1; k <= tileColumns; k++ {
		c.Label(fmt.Sprintf("columns%d", k))
		v := &vnni{Context: c, n: k}
		copy(v.acc[:], zmm[:8])
		copy(v.isum[:], zmm[8:16])
		copy(v.f[:], zmm[16:24])
		v.w = [2]reg.VecPhysical{z(24), z(25)}
		v.x, v.y, v.z = z(26), z(27), z(28)
		v.start()
		body(v)
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

// forward moves on by 32 values.
func (v *vnni) forward() {
	for k := range v.n {
		v.ADDQ(U8(32), v.q[k])
	}
}

func (v *vnni) start() {
	v.tile, v.i, v.d, v.sums, v.cols, v.tmp = v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("cols"), v.cols)
	v.zero(v.f[:v.n])
	v.CMPB(place(v.Context, "first"), U8(0))
	v.JNE(LabelRef(v.label("first")))
	v.Load(v.Param("dst"), v.d)
	for k := range v.n {
		v.VMOVUPS(v.at(v.d, k, columnDst), v.f[k])
	}
	v.Label(v.label("first"))
	v.Load(v.Param("q"), v.d)
	for k := range v.n {
		v.q[k] = v.GP64()
		v.MOVQ(v.column(k, columnQ), v.q[k])
		v.ADDQ(v.d, v.q[k])
	}
	v.Load(v.Param("tile"), v.tile)
	v.Load(v.Param("d"), v.d)
	v.Load(v.Param("sums"), v.sums)
	v.Label(v.label("block"))
}

func (v *vnni) end() {
	v.DECQ(place(v.Context, "blocks"))
	v.JNZ(LabelRef(v.label("block")))
	v.Load(v.Param("dst"), v.d)
	for k := range v.n {
		v.VMOVUPS(v.f[k], v.at(v.d, k, columnDst))
	}
	v.VZEROUPPER()
	v.RET()
}

func (v *vnni) zero(x []reg.VecPhysical) {
	for _, x := range x {
		v.VPXORD(x, x, x)
	}
}

// dot adds steps times four products to acc, weights at tile+off, activations from
// the first step on.
func (v *vnni) dot(steps, off, first int) {
	for s := range steps {
		w := v.w[s%2]
		v.VMOVDQU64(Mem{Base: v.tile, Disp: off + 64*s}, w)
		for k := range v.n {
			v.VPDPBUSD_BCST(Mem{Base: v.q[k], Disp: 4 * (first + s)}, w, v.acc[k])
		}
	}
}

// pairs adds to isum n pairs of a block's sums times the pairs at tile+off, which take
// the place of acc.
func (v *vnni) pairs(n, off int) {
	for i := range n {
		v.VMOVDQU64(Mem{Base: v.tile, Disp: off + 64*i}, v.acc[i])
	}
	for k := range v.n {
		m := v.at(v.sums, k, columnSums)
		for i := range n {
			m.Disp = 4 * i
			v.VPDPWSSD_BCST(m, v.acc[i], v.isum[k])
		}
	}
}

// step adds float32(x)*(d*dy) to f, dy at v.d+off.
func (v *vnni) step(x []reg.VecPhysical, d reg.VecPhysical, minus bool) {
	for k := range v.n {
		v.VMULPS_BCST(v.at(v.d, k, columnD), d, v.z)
		v.VCVTDQ2PS(x[k], x[k])
		if minus {
			v.VFNMADD231PS(v.z, x[k], v.f[k])
		} else {
			v.VFMADD231PS(v.z, x[k], v.f[k])
		}
	}
}

// mulSuperAVX512 writes the product of superTiles with scales for each sub values
// and codes of some bits. Sums of 16 values with codes of four bits fit 16 bits
// (16*15*128 = 30,720), so that vpdpwssd applies the scale; vpmulld, which others need,
// is two instructions within Intel's CPUs (Emerald Rapids: 53 to 64 % of the peak with
// vpmulld, 80 % with two vpdpwssd).
func mulSuperAVX512(sub, bits int) func(c *build.Context) {
	name := fmt.Sprintf("mulSuper%dx%dAVX512", sub, bits)
	return func(c *build.Context) {
		function(c, name, fmt.Sprintf("%s adds the product of superTiles with scales for %d values and codes of %d bits to dst. "+asks, name, sub, bits),
			mulArgs+", corr, min bool")
		columns(c, func(v *vnni) {
			v.zero(v.isum[:v.n])
			flag(c, "corr", v.label("groups"))
			v.pairs(pairsOf(sub), superCorr)
			v.Label(v.label("groups"))
			v.MOVL(U32(8), v.i.As32())
			v.Label(v.label("group"))
			ask(c, v.tmp, v.n)
			for s := range 2 {
				if bits == 4 || s == 0 || sub == 16 {
					v.zero(v.acc[:v.n])
				}
				v.dot(4, 256*s, 4*s)
				scale := Mem{Base: v.tile, Disp: groupScale + s*16/sub*64}
				switch {
				case bits == 4:
					if s == 0 || sub == 16 {
						v.VPSRLD(U8(16), scale, v.x)
					}
					for k := range v.n {
						v.VPDPWSSD(v.x, v.acc[k], v.isum[k])
					}
				case s == 1 || sub == 16:
					v.VPSRAD(U8(16), scale, v.x)
					for k := range v.n {
						v.VPMULLD(v.x, v.acc[k], v.acc[k])
						v.VPADDD(v.acc[k], v.isum[k], v.isum[k])
					}
				}
			}
			v.ADDQ(U32(groupSize), v.tile)
			v.forward()
			v.DECL(v.i.As32())
			v.JNZ(LabelRef(v.label("group")))

			const past = 8 * groupSize
			v.VMOVUPS(Mem{Base: v.tile, Disp: superD - past}, v.x)
			v.step(v.isum[:], v.x, false)
			flag(c, "min", v.label("next"))
			v.zero(v.isum[:v.n])
			v.pairs(pairsOf(sub), superMin-past)
			v.VMOVUPS(Mem{Base: v.tile, Disp: superDMin - past}, v.x)
			v.step(v.isum[:], v.x, true)
			v.Label(v.label("next"))
			v.ADDQ(U32(superSize-past), v.tile)
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

// mulSmallAVX512 writes the product of smallTiles with scales for each sub values.
func mulSmallAVX512(sub int) func(c *build.Context) {
	name := fmt.Sprintf("mulSmall%dAVX512", sub)
	return func(c *build.Context) {
		function(c, name, fmt.Sprintf("%s adds the product of smallTiles with scales for %d values to dst. "+asks, name, sub),
			mulArgs+", corr int, min bool")
		columns(c, func(v *vnni) {
			ask(c, v.tmp, v.n)
			for s := range 32 / sub {
				v.VPBROADCASTD(place(c, "corr"), v.y)
				if sub == 16 { // of the two sums in a dword, this half's
					if s == 0 {
						v.VPSRLD(U8(16), v.y, v.y)
					} else {
						v.VPSLLD(U8(16), v.y, v.y)
					}
				}
				for k := range v.n {
					v.VPXORD(v.acc[k], v.acc[k], v.acc[k])
					v.VPDPWSSD_BCST(v.at(v.sums, k, columnSums), v.y, v.acc[k])
				}
				v.dot(sub/4, 16*sub*s, sub/4*s)
				v.VMOVUPS(Mem{Base: v.tile, Disp: smallD + 64*s}, v.x)
				v.step(v.acc[:], v.x, false)
			}
			flag(c, "min", v.label("next"))
			v.MOVL(U32(0x10001), v.tmp.As32())
			v.VPBROADCASTD(v.tmp.As32(), v.y)
			v.VMOVUPS(Mem{Base: v.tile, Disp: smallM}, v.x)
			v.zero(v.acc[:v.n])
			for k := range v.n {
				v.VPDPWSSD_BCST(v.at(v.sums, k, columnSums), v.y, v.acc[k])
			}
			v.step(v.acc[:], v.x, false)
			v.Label(v.label("next"))
			v.ADDQ(U32(smallSize), v.tile)
			v.forward()
			v.ADDQ(U8(4), v.d)
			v.ADDQ(U8(4), v.sums)
		})
	}
}
