package main

import (
	"math/bits"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// mulT generates the tiles of MulT, which are also attention's sums of values: a
// lane is an output.
func mulT(c *build.Context) {
	both(c, func(g gen) {
		cols := []int{3}
		if g.avx512 {
			cols = []int{2, 4, 6}
		}
		for _, s := range []source{sourceF32, sourceF16, sourceBF16} {
			g.mulTRows(s, 4)
			g.mulTRows(s, 1)
			for _, n := range cols {
				g.mulTTile(s, n)
			}
		}
	})
}

// mulTRows makes the form for one column: dst stays in the first cache, the
// weights stream by.
func (g gen) mulTRows(s source, rows int) {
	name := label("mulT%sRows%d", s.name, rows)
	g.fn(name, "func(dst *float32, w *byte, stride, rows, ahead int, x *float32, k int)",
		name+g.suffix()+" sets dst[c] = fma(x[r], w[r][c], dst[c]) for ascending r.",
		label("rows is a multiple of %d and k of 16; neither is 0. ahead is how many bytes", rows),
		"behind a row the one lies that is to be fetched meanwhile.")
	dst, w, stride, n := g.arg("dst"), g.arg("w"), g.arg("stride"), g.arg("rows")
	ahead := g.arg("ahead")
	g.SHRQ(imm(bits.TrailingZeros(uint(s.bytes))), ahead)
	x, k := g.arg("x"), g.arg("k")
	g.Label("rows")
	row := g.rowAddresses(w, stride, rows)
	f := g.vecs(rows)
	for r := range f {
		g.VBROADCASTSS(mem(x, 4*r), f[r])
	}
	i, next := g.GP64(), g.GP64()
	g.XORQ(i, i)
	g.MOVQ(ahead, next)
	g.loop("groups", i, k, 16, func() {
		for r := range row {
			g.PREFETCHT0(row[r](next, s.bytes, 0))
		}
		g.ADDQ(imm(16), next)
		for h := range 16 / g.width() {
			m := memIdx(dst, i, 4, 4*h*g.width())
			d := g.vec()
			g.VMOVUPS(m, d)
			for r := range row {
				wm := row[r](i, s.bytes, s.bytes*h*g.width())
				if s == sourceF32 {
					g.VFMADD231PS(wm, f[r], d)
					continue
				}
				v := g.vec()
				g.load(s, wm, v)
				g.VFMADD231PS(v, f[r], d)
			}
			g.VMOVUPS(d, m)
		}
	})
	g.ADDQ(imm(4*rows), x)
	for range rows {
		g.ADDQ(stride, w)
	}
	g.SUBQ(imm(rows), n)
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
