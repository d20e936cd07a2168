package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Scores of many queries take the keys of a block transposed, so that a lane is a
// key: the contract's 16 lanes of a dot product become 16 vectors, and the tree
// over them whole-vector additions. The 16 are visited in the order in which the
// tree joins them, 0 8 4 12 2 10 6 14 1 9 5 13 3 11 7 15, so that at most four
// wait; the transposed keys lie in that order: row lane*k/16+i of 64 holds
// value 16i+treeOrder[lane] of each key.

// treeOrder is the 4 bits of the position reversed.
var treeOrder = [16]int{0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15}

const block = 64 // kernels.AttnBlock

func scores(c *build.Context) {
	both(c, func(g gen) {
		for _, s := range []source{sourceF32, sourceF16, sourceBF16} {
			g.transpose(s)
		}
		if g.avx512 {
			g.scoresTile(6, 4)
			g.scoresTile(4, 4)
		} else {
			g.scoresTile(3, 4)
		}
	})
}

// scoresTile makes the products of queries with vectors of keys.
func (g gen) scoresTile(queries, vectors int) {
	name := label("scoresTile%d", queries)
	keys := vectors * g.width()
	g.fn(name, "func(dst *float32, kt, q *float32, off *int, k int, wait *float32)",
		name+g.suffix()+label(" sets dst[j*%d+t] to the product of the query at q+off[j], counted in", block),
		label("values, with key t of the transposed block kt, t < %d. k is a multiple of 16, not 0.", block),
		label("wait is room for %d values.", 4*queries*keys))
	dst, kt, q, off := g.arg("dst"), g.arg("kt"), g.arg("q"), g.arg("off")
	n := g.arg("k")
	col := make([]reg.GPVirtual, queries)
	for j := range col {
		col[j] = g.GP64()
		g.MOVQ(mem(off, 8*j), col[j])
		g.LEAQ(memIdx(q, col[j], 4, 0), col[j])
	}
	accs := make([][]reg.VecVirtual, queries)
	for j := range accs {
		accs[j] = g.vecs(vectors)
	}
	all := func(f func(i int, a reg.VecVirtual)) {
		for j := range accs {
			for v, a := range accs[j] {
				f(j*vectors+v, a)
			}
		}
	}
	size := queries * vectors * 4 * g.width()
	part := g.AllocLocal(8)
	g.MOVQ(operand.I32(0), part)
	g.Label("part")
	lane := g.AllocLocal(8)
	g.MOVQ(operand.I32(0), lane)
	kp, wait := g.GP64(), g.arg("wait")
	g.MOVQ(kt, kp)
	g.Label("lanes")
	all(func(_ int, a reg.VecVirtual) { g.zero(a) })
	i := g.GP64()
	{ // the lane's place in the query
		l, t := g.GP64(), g.GP64()
		g.MOVQ(lane, l)
		g.LEAQ(g.bytes("treeOrder", treeOrder[:]), t)
		g.MOVBQZX(memIdx(t, l, 1, 0), i)
	}
	g.Label("groups")
	if g.avx512 {
		kv := g.vecs(vectors)
		for v := range kv {
			g.VMOVUPS(mem(kp, 4*v*g.width()), kv[v])
		}
		for j := range accs {
			f := g.vec()
			g.VBROADCASTSS(memIdx(col[j], i, 4, 0), f)
			for v := range kv {
				g.VFMADD231PS(kv[v], f, accs[j][v])
			}
		}
	} else {
		f := g.vecs(queries)
		for j := range f {
			g.VBROADCASTSS(memIdx(col[j], i, 4, 0), f[j])
		}
		for v := range vectors {
			kv := g.vec()
			g.VMOVUPS(mem(kp, 4*v*g.width()), kv)
			for j := range f {
				g.VFMADD231PS(kv, f[j], accs[j][v])
			}
		}
	}
	g.ADDQ(operand.I32(4*block), kp)
	g.ADDQ(imm(16), i)
	g.CMPQ(i, n)
	g.JLT(operand.LabelRef("groups"))

	// As many joins as the lane's position ends in ones.
	l := g.GP64()
	g.MOVQ(lane, l)
	g.Label("join")
	g.SHRQ(imm(1), l)
	g.JCC(operand.LabelRef("put"))
	g.SUBQ(operand.I32(size), wait)
	all(func(i int, a reg.VecVirtual) { g.VADDPS(mem(wait, 4*i*g.width()), a, a) })
	g.JMP(operand.LabelRef("join"))
	g.Label("put")
	g.INCQ(lane)
	g.CMPQ(lane, imm(16))
	g.JEQ(operand.LabelRef("store"))
	all(func(i int, a reg.VecVirtual) { g.VMOVUPS(a, mem(wait, 4*i*g.width())) })
	g.ADDQ(operand.I32(size), wait)
	g.JMP(operand.LabelRef("lanes"))

	g.Label("store")
	for j := range accs {
		for v, a := range accs[j] {
			g.VMOVUPS(a, mem(dst, 4*(j*block+v*g.width())))
		}
	}
	if keys < block {
		g.ADDQ(operand.I32(4*keys), dst)
		g.ADDQ(operand.I32(4*keys), kt)
		g.ADDQ(operand.I32(keys), part)
		g.CMPQ(part, imm(block))
		g.JLT(operand.LabelRef("part"))
	}
	g.end()
}

// transpose makes the transposition of one vector's worth of keys.
func (g gen) transpose(s source) {
	n := g.width()
	g.fn("transpose"+s.name, "func(dst *float32, w *byte, off *int, k int)",
		"transpose"+s.name+g.suffix()+label(" writes %d keys, key t at w+off[t] bytes, to columns 0..%d of a", n, n-1),
		"transposed block. k is a multiple of 16, not 0.")
	dst, w, off, k := g.arg("dst"), g.arg("w"), g.arg("off"), g.arg("k")
	step := g.GP64() // from a lane's rows to the next lane's
	g.MOVQ(k, step)
	g.SHLQ(imm(4), step) // k/16 rows of 256 bytes
	order := make([]int, 16)
	for p, l := range treeOrder {
		order[l] = p
	}
	g.Label("groups")
	for h := range 16 / n {
		v := g.vecs(n)
		for t := range v {
			p := g.GP64()
			g.MOVQ(mem(off, 8*t), p)
			g.load(s, memIdx(w, p, 1, s.bytes*h*n), v[t])
		}
		v = g.transposeSquare(v)
		at := make([]reg.VecVirtual, 16)
		for l := range v {
			at[order[h*n+l]] = v[l]
		}
		p := g.GP64()
		g.MOVQ(dst, p)
		for lane, x := range at {
			if x != nil {
				g.VMOVUPS(x, mem(p, 0))
			}
			if lane < 15 {
				g.ADDQ(step, p)
			}
		}
	}
	g.ADDQ(operand.I32(4*block), dst)
	g.ADDQ(imm(16*s.bytes), w)
	g.SUBQ(imm(16), k)
	g.JNZ(operand.LabelRef("groups"))
	g.end()
}

// transposeSquare transposes 8x8 or 16x16 values: 32 bits at a time, 64, 128, 256.
func (g gen) transposeSquare(v []reg.VecVirtual) []reg.VecVirtual {
	n := len(v)
	// Each stage joins registers that differ in one bit of their number.
	stage := func(bit int, lo, hi func(a, b, dst reg.VecVirtual)) {
		w := make([]reg.VecVirtual, n)
		for i := range v {
			if i&bit == 0 {
				w[i], w[i|bit] = g.vec(), g.vec()
				lo(v[i], v[i|bit], w[i])
				hi(v[i], v[i|bit], w[i|bit])
			}
		}
		v = w
	}
	// Within 128 bits: after these, register 4b+c holds column c of each quarter,
	// rows 4b..4b+3.
	stage(1, func(a, b, d reg.VecVirtual) { g.VUNPCKLPS(b, a, d) }, func(a, b, d reg.VecVirtual) { g.VUNPCKHPS(b, a, d) })
	stage(2, func(a, b, d reg.VecVirtual) { g.VUNPCKLPD(b, a, d) }, func(a, b, d reg.VecVirtual) { g.VUNPCKHPD(b, a, d) })
	for b := 0; b < n; b += 4 { // the two stages leave columns 0 2 1 3
		v[b+1], v[b+2] = v[b+2], v[b+1]
	}
	if !g.avx512 {
		stage(4, func(a, b, d reg.VecVirtual) { g.VPERM2F128(imm(0x20), b, a, d) },
			func(a, b, d reg.VecVirtual) { g.VPERM2F128(imm(0x31), b, a, d) })
		return v
	}
	shuffle := func(sel int) func(a, b, d reg.VecVirtual) {
		return func(a, b, d reg.VecVirtual) { g.VSHUFF32X4(imm(sel), b, a, d) }
	}
	stage(4, shuffle(0x88), shuffle(0xdd)) // quarters 0 2 of both | 1 3 of both
	stage(8, shuffle(0x88), shuffle(0xdd))
	// Register 8h+4q+c now holds column 4(2h'+q)+c; name them.
	w := make([]reg.VecVirtual, n)
	for i := range v {
		c, q, h := i%4, i/4%2, i/8
		w[4*(q+2*h)+c] = v[i]
	}
	return w
}
