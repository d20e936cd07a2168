package main

import (
	"math/bits"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// acc is one dot product's 16 lanes: a ZMM, or two YMMs.
type acc []reg.VecVirtual

func (g gen) acc() acc { return g.vecs(16 / g.width()) }

// source loads weights of one format as float32.
type source struct {
	name  string
	bytes int
}

var (
	sourceF32  = source{"F32", 4}
	sourceF16  = source{"F16", 2}
	sourceBF16 = source{"BF16", 2}
)

// load converts a vector's worth of weights at m.
func (g gen) load(s source, m operand.Mem, dst reg.VecVirtual) {
	switch s {
	case sourceF32:
		g.VMOVUPS(m, dst)
	case sourceF16:
		g.VCVTPH2PS(m, dst)
	case sourceBF16:
		g.VPMOVZXWD(m, dst)
		g.VPSLLD(imm(16), dst, dst)
	}
}

// mulFloat generates the tiles of mulFloat: rows x cols dot products at a time.
func mulFloat(c *build.Context) {
	both(c, func(g gen) {
		for _, s := range []source{sourceF32, sourceF16, sourceBF16} {
			g.mulTile(s, 1, 1)
			if !g.avx512 {
				g.mulTile(s, 2, 2)
				g.mulTile(s, 2, 3)
				continue
			}
			for _, cols := range []int{2, 4, 6} {
				g.mulTile(s, 4, cols)
			}
		}
	})
}

func (g gen) mulTile(s source, rows, cols int) {
	name := label("mul%sTile%dx%d", s.name, rows, cols)
	tail := s == sourceF32
	need := "k is a multiple of 16, not 0."
	if tail {
		need = "k is not 0."
	}
	g.fn(name, "func(dst *float32, ld int, w *byte, stride, rows, ahead int, x *float32, off *int, k int)",
		name+g.suffix()+" sets dst[j*ld+r] to the product of row r at w+r*stride",
		label("and column j at x+off[j], counted in values. rows is a multiple of %d, not 0;", rows),
		need+" ahead is how many bytes behind a row the one lies that is",
		"to be fetched meanwhile.")
	row := g.rowAddresses(g.arg("w"), g.arg("stride"), rows)
	col := g.columns(g.arg("x"), g.arg("off"), cols)
	i, whole, next := g.GP64(), g.GP64(), g.GP64()
	accs := make([][]acc, rows)
	for r := range accs {
		accs[r] = make([]acc, cols)
		for j := range accs[r] {
			accs[r][j] = g.acc()
		}
	}

	g.Label("rows")
	g.Load(g.Param("ahead"), next)
	g.SHRQ(imm(bits.TrailingZeros(uint(s.bytes))), next)
	for r := range accs {
		for j := range accs[r] {
			for _, v := range accs[r][j] {
				g.zero(v)
			}
		}
	}
	g.XORQ(i, i)
	g.Load(g.Param("k"), whole)
	if tail {
		g.ANDQ(operand.I8(-16), whole)
		g.JZ(operand.LabelRef("tail"))
	}
	g.loop("groups", i, whole, 16, func() {
		if cols > 1 && s != sourceF32 {
			for r := range row {
				g.PREFETCHT0(row[r](next, s.bytes, 0))
			}
			g.ADDQ(imm(16), next)
		}
		for h := range 16 / g.width() {
			g.mulStep(s, row, col, i, h, accs)
		}
	})
	if tail {
		g.Label("tail")
		k := g.arg("k")
		g.ANDQ(imm(15), k)
		g.JZ(operand.LabelRef("sum"))
		mask := g.tailMask(k)
		for h := range 16 / g.width() {
			g.tailHalf(mask, h)
			wv := g.vecs(rows)
			for r := range row {
				g.loadTail(row[r](i, 4, 4*h*g.width()), mask, wv[r])
			}
			for j := range cols {
				x := g.vec()
				g.loadTail(memIdx(col[j], i, 4, 4*h*g.width()), mask, x)
				for r := range row {
					g.VFMADD231PS(wv[r], x, accs[r][j][h])
				}
			}
		}
		g.Label("sum")
	}
	dst, ld := g.arg("dst"), g.arg("ld")
	g.SHLQ(imm(2), ld)
	g.storeTrees(accs, dst, ld)

	// The next rows.
	g.ADDQ(imm(4*rows), g.param("dst"))
	step := g.arg("stride")
	g.SHLQ(imm(bits.TrailingZeros(uint(rows))), step)
	for _, p := range row {
		g.ADDQ(step, p(nil, 1, 0).Base)
	}
	g.SUBQ(imm(rows), g.param("rows"))
	g.JNZ(operand.LabelRef("rows"))
	g.end()
}

// mulStep multiplies vector h of the group at i in all rows and columns.
func (g gen) mulStep(s source, row []rowAddress, col []reg.GPVirtual, i reg.GPVirtual, h int, accs [][]acc) {
	xAt := func(j int) operand.Mem { return memIdx(col[j], i, 4, 4*h*g.width()) }
	wAt := func(r int) operand.Mem { return row[r](i, s.bytes, s.bytes*h*g.width()) }
	switch {
	case len(col) == 1 && s == sourceF32:
		x := g.vec()
		g.VMOVUPS(xAt(0), x)
		for r := range row {
			g.VFMADD231PS(wAt(r), x, accs[r][0][h])
		}
	case len(col) <= len(row): // the fewer stay in registers
		x := g.vecs(len(col))
		for j := range x {
			g.VMOVUPS(xAt(j), x[j])
		}
		for r := range row {
			w := g.vec()
			g.load(s, wAt(r), w)
			for j := range x {
				g.VFMADD231PS(w, x[j], accs[r][j][h])
			}
		}
	default:
		w := g.vecs(len(row))
		for r := range w {
			g.load(s, wAt(r), w[r])
		}
		for j := range col {
			x := g.vec()
			g.VMOVUPS(xAt(j), x)
			for r := range w {
				g.VFMADD231PS(w[r], x, accs[r][j][h])
			}
		}
	}
}

// columns returns the addresses of columns at x+off[j], counted in values.
func (g gen) columns(x, off reg.GPVirtual, n int) []reg.GPVirtual {
	col := make([]reg.GPVirtual, n)
	for j := range col {
		col[j] = g.GP64()
		g.MOVQ(mem(off, 8*j), col[j])
		g.LEAQ(memIdx(x, col[j], 4, 0), col[j])
	}
	return col
}

// accs returns cleared accumulators.
func (g gen) accs(rows, cols int) [][]acc {
	accs := make([][]acc, rows)
	for r := range accs {
		accs[r] = make([]acc, cols)
		for j := range accs[r] {
			accs[r][j] = g.acc()
			for _, v := range accs[r][j] {
				g.zero(v)
			}
		}
	}
	return accs
}

// rowAddress is the operand at index*bytes+disp in a row.
type rowAddress func(index reg.Register, bytes, disp int) operand.Mem

// rowAddresses puts the address of each row into a register.
func (g gen) rowAddresses(w, stride reg.GPVirtual, rows int) []rowAddress {
	base := make([]reg.GPVirtual, rows)
	base[0] = w
	for r := 1; r < rows; r++ {
		base[r] = g.GP64()
		g.LEAQ(memIdx(base[r-1], stride, 1, 0), base[r])
	}
	f := make([]rowAddress, rows)
	for r := range f {
		f[r] = func(i reg.Register, bytes, disp int) operand.Mem {
			return memIdx(base[r], i, uint8(bytes), disp)
		}
	}
	return f
}

// storeTrees adds the lanes of each accumulator as the contract's tree and stores
// column j's sums at dst+j*ld (ld in bytes; dst is moved). Lanes of several
// accumulators share a vector as soon as half of it is free, so that 16 trees
// take 15 additions and not 64.
func (g gen) storeTrees(accs [][]acc, dst, ld reg.GPVirtual) {
	cols := len(accs[0])
	for j := 0; j < cols; {
		n := 1
		for n < 4 && j+n < cols {
			n++
		}
		if n == 3 || !g.avx512 && n > 2 {
			n = 2
		}
		if j > 0 {
			g.ADDQ(ld, dst)
		}
		g.storeTree(accs, j, n, dst, ld)
		j += n
	}
}

// storeTree does it for columns j..j+n-1 and leaves dst at the last of them.
func (g gen) storeTree(accs [][]acc, j, n int, dst, ld reg.GPVirtual) {
	rows := len(accs)
	lane := make([]reg.VecVirtual, rows) // per row: a quarter vector (AVX2: half) per column
	for r := range lane {
		a := func(c int) acc { return accs[r][j+min(c, n-1)] }
		if g.avx512 {
			lo, hi := g.addHalves(a(0)[0], a(1)[0]), g.vec()
			if n > 2 {
				hi = g.addHalves(a(2)[0], a(3)[0])
			} else {
				hi = lo
			}
			x, y := g.vec(), g.vec()
			g.VSHUFF32X4(imm(0x88), hi, lo, x)
			g.VSHUFF32X4(imm(0xdd), hi, lo, y)
			g.VADDPS(y, x, x)
			lane[r] = x
			continue
		}
		p, q := g.vec(), g.vec()
		g.VADDPS(a(0)[1], a(0)[0], p)
		g.VADDPS(a(1)[1], a(1)[0], q)
		x, y := g.vec(), g.vec()
		g.VPERM2F128(imm(0x20), q, p, x)
		g.VPERM2F128(imm(0x31), q, p, y)
		g.VADDPS(y, x, x)
		lane[r] = x
	}
	// Now each 128 bits hold four lanes of one column; rows join.
	r := func(i int) reg.VecVirtual { return lane[min(i, rows-1)] }
	pair := func(a, b reg.VecVirtual) reg.VecVirtual {
		x, y := g.vec(), g.vec()
		g.VUNPCKLPD(b, a, x)
		g.VUNPCKHPD(b, a, y)
		g.VADDPS(y, x, x)
		return x
	}
	a := pair(r(0), r(1))
	b := a
	if rows > 2 {
		b = pair(r(2), r(3))
	}
	x, y := g.vec(), g.vec()
	g.VSHUFPS(imm(0x88), b, a, x)
	g.VSHUFPS(imm(0xdd), b, a, y)
	g.VADDPS(y, x, x)
	for c := range n {
		if c > 0 {
			g.ADDQ(ld, dst)
			t := g.XMM()
			if g.avx512 {
				g.VEXTRACTF32X4(imm(c), x, t)
			} else {
				g.VEXTRACTF128(imm(c), x, t)
			}
			g.storeLow(t, rows, dst)
			continue
		}
		g.storeLow(x.AsX(), rows, dst)
	}
}

// addHalves returns the sums of the halves of a and of b, a's below.
func (g gen) addHalves(a, b reg.VecVirtual) reg.VecVirtual {
	x, y := g.vec(), g.vec()
	g.VSHUFF64X2(imm(0x44), b, a, x)
	g.VSHUFF64X2(imm(0xee), b, a, y)
	g.VADDPS(y, x, x)
	return x
}

// storeLow stores the lowest 1, 2 or 4 values of x.
func (g gen) storeLow(x reg.Register, n int, dst reg.GPVirtual) {
	switch n {
	case 1:
		g.VMOVSS(x, mem(dst, 0))
	case 2:
		g.VMOVLPS(x, mem(dst, 0))
	case 4:
		g.VMOVUPS(x, mem(dst, 0))
	}
}

// tail is what loads the last k mod 16 values of a row.
type tail struct {
	k     reg.OpmaskVirtual
	table reg.GPVirtual  // AVX2: address of the mask
	lanes reg.VecVirtual // AVX2: the mask for half h
}

// tailMask prepares for the last n (1..15) values.
func (g gen) tailMask(n reg.GPVirtual) tail {
	if g.avx512 {
		return tail{k: g.maskOf(n)}
	}
	p, q := g.GP64(), g.GP64()
	g.LEAQ(g.tailTable(), p)
	g.MOVQ(n, q)
	g.NEGQ(q)
	g.LEAQ(memIdx(p, q, 4, 64), p)
	return tail{table: p, lanes: g.vec()}
}

// tailHalf prepares for half h of the group.
func (g gen) tailHalf(t tail, h int) {
	if !g.avx512 {
		g.VMOVUPS(mem(t.table, 32*h), t.lanes)
	}
}

// maskOf returns the mask of the n lowest lanes, n < 16.
func (g gen) maskOf(n reg.GPVirtual) reg.OpmaskVirtual {
	one, k := g.GP64(), g.K()
	g.MOVL(operand.U32(1), one.As32())
	g.SHLXQ(n, one, one)
	g.DECQ(one)
	g.KMOVW(one.As32(), k)
	return k
}

// loadTail loads the prepared half of the group, which is at m; zeros beyond its end.
func (g gen) loadTail(m operand.Mem, t tail, dst reg.VecVirtual) {
	if g.avx512 {
		g.VMOVUPS_Z(m, t.k, dst)
		return
	}
	g.VMASKMOVPS(m, t.lanes, dst)
}

// tailTable is 16 words of ones and 16 of zeros: read from word 16-n on, it
// selects the first n of 16 lanes.
func (g gen) tailTable() operand.Mem {
	words := make([]uint32, 32)
	for i := range 16 {
		words[i] = 1<<32 - 1
	}
	return g.words("tailTable", words...)
}
