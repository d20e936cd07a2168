package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// mulT generates the tiles of MulT, which are also attention's sums of values: a
// lane is an output.
func mulT(c *build.Context) {
	both(c, func(g gen) {
		cols := []int{2, 3}
		if g.avx512 {
			cols = []int{2, 4, 6}
		}
		for _, s := range []source{sourceF32, sourceF16, sourceBF16} {
			g.mulTRows(s)
			for _, n := range cols {
				g.mulTTile(s, n)
			}
		}
	})
}

// mulTRows makes the form for one column: dst stays in the first cache, the
// weights stream by.
func (g gen) mulTRows(s source) {
	name := label("mulT%sRows", s.name)
	g.fn(name, "func(dst *float32, w *byte, stride, rows int, x *float32, k int)",
		name+g.suffix()+" sets dst[c] = fma(x[r], w[r][c], dst[c]) for ascending r.",
		"k is a multiple of 16; neither it nor rows is 0.")
	dst, w, stride, n := g.arg("dst"), g.arg("w"), g.arg("stride"), g.arg("rows")
	x, k := g.arg("x"), g.arg("k")
	f, i := g.vec(), g.GP64()
	g.Label("rows")
	g.VBROADCASTSS(mem(x, 0), f)
	g.XORQ(i, i)
	g.loop("groups", i, k, 16, func() {
		for h := range 16 / g.width() {
			m, d, v := memIdx(dst, i, 4, 4*h*g.width()), g.vec(), g.vec()
			g.VMOVUPS(m, d)
			g.load(s, memIdx(w, i, uint8(s.bytes), s.bytes*h*g.width()), v)
			g.VFMADD231PS(v, f, d)
			g.VMOVUPS(d, m)
		}
	})
	g.ADDQ(imm(4), x)
	g.ADDQ(stride, w)
	g.DECQ(n)
	g.JNZ(operand.LabelRef("rows"))
	g.end()
}

// mulTTile makes the form for several columns: four vectors of each stay in
// registers over all rows.
func (g gen) mulTTile(s source, cols int) {
	name := label("mulT%sTile%d", s.name, cols)
	g.fn(name, "func(dst *float32, ld int, w *byte, stride, rows, ahead int, x *float32, off *int, k int)",
		name+g.suffix()+" sets dst[j*ld+c] = fma(x[off[j]+r], w[r][c], dst[j*ld+c])",
		"for ascending r. k is a multiple of 16; neither it nor rows is 0. ahead is how",
		"many bytes behind a row the one lies that is to be fetched meanwhile.")
	dst, w, stride, rows := g.arg("dst"), g.arg("w"), g.arg("stride"), g.arg("rows")
	x, off := g.arg("x"), g.arg("off")
	col := make([]reg.GPVirtual, cols)
	for j := range col { // at the end of the column: r runs from -rows to 0
		col[j] = g.GP64()
		g.MOVQ(mem(off, 8*j), col[j])
		g.ADDQ(rows, col[j])
		g.LEAQ(memIdx(x, col[j], 4, 0), col[j])
	}
	g.NEGQ(rows)
	k := g.arg("k")
	chunk := func(name string, vectors int) {
		width := vectors * g.width()
		g.Label(name)
		g.CMPQ(k, imm(width))
		g.JLT(operand.LabelRef(name + "Done"))
		accs := make([][]reg.VecVirtual, cols)
		ld, p := g.arg("ld"), g.GP64()
		at := func(h int) operand.Mem { return mem(p, 4*h*g.width()) }
		move := func(f func(j, h int)) {
			g.MOVQ(dst, p)
			for j := range cols {
				for h := range vectors {
					f(j, h)
				}
				if j < cols-1 {
					g.LEAQ(memIdx(p, ld, 4, 0), p)
				}
			}
		}
		move(func(j, h int) {
			if h == 0 {
				accs[j] = g.vecs(vectors)
			}
			g.VMOVUPS(at(h), accs[j][h])
		})
		wp, r, ahead := g.GP64(), g.GP64(), g.arg("ahead")
		g.MOVQ(w, wp)
		g.MOVQ(rows, r)
		g.Label(name + "Rows")
		if s != sourceF32 { // converted rows are near
			for line := 0; line < width*s.bytes; line += 64 {
				g.PREFETCHT0(memIdx(wp, ahead, 1, line))
			}
		}
		f := g.vecs(cols)
		for j := range f {
			if g.avx512 {
				break // enough registers, but then the weights stay and this is loaded on the way
			}
			g.VBROADCASTSS(memIdx(col[j], r, 4, 0), f[j])
		}
		if g.avx512 {
			wv := g.vecs(vectors)
			for h := range wv {
				g.load(s, mem(wp, s.bytes*h*g.width()), wv[h])
			}
			for j := range f {
				g.VBROADCASTSS(memIdx(col[j], r, 4, 0), f[j])
				for h := range wv {
					g.VFMADD231PS(wv[h], f[j], accs[j][h])
				}
			}
		} else {
			for h := range vectors {
				wv := g.vec()
				g.load(s, mem(wp, s.bytes*h*g.width()), wv)
				for j := range f {
					g.VFMADD231PS(wv, f[j], accs[j][h])
				}
			}
		}
		g.ADDQ(stride, wp)
		g.INCQ(r)
		g.JNZ(operand.LabelRef(name + "Rows"))
		move(func(j, h int) { g.VMOVUPS(accs[j][h], at(h)) })
		g.ADDQ(operand.I32(4*width), dst)
		g.ADDQ(operand.I32(s.bytes*width), w)
		g.SUBQ(imm(width), k)
		g.JMP(operand.LabelRef(name))
		g.Label(name + "Done")
	}
	chunk("wide", 4)
	chunk("narrow", 1)
	g.end()
}
