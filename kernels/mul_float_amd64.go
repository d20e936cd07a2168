//go:build !purego

package kernels

import "unsafe"

// floats holds an instruction set's assembly for products of float weights; its
// methods are the table's entries.
type floats struct {
	dot   [3][]dotTile   // by source; the most columns first; rows in fours
	dot1  [3]dotTileFunc // one row and column
	dotF8 []f8Tile       // one row; the most columns first, one last

	sum    [3][]sumTile                                                        // by source; the most columns first
	sumRow [3]func(dst *float32, w *byte, stride, rows int, x *float32, k int) // one column

	convert   [3]func(dst *float32, src *byte, n int)
	narrowF16 func(dst *byte, src *float32, n int) bool
	convertF8 func(dst *float32, src *byte, scale *float32, n int) bool

	valuesSuper, valuesSmall func(dst *float32, b *byte)
	convertQ8_0              func(dst *float32, src *byte, blocks int)
}

// dotTile is a register tile of dot products.
type dotTile struct {
	cols int
	f    dotTileFunc
}

// f8Tile is dotTile for scaled 8-bit floats. Its kernel returns false, with nothing
// done, for what it leaves to the portable form.
type f8Tile struct {
	cols int
	f    func(dst *float32, ld int, w *byte, scale, x *float32, off *int, k int) bool
}

type dotTileFunc func(dst *float32, ld int, w *byte, stride, rows, ahead int, x *float32, off *int, k int)

// sumTile is a register tile of a transposed product.
type sumTile struct {
	cols int
	f    func(dst *float32, ld int, w *byte, stride, rows, ahead int, x *float32, off *int, k int)
}

// The sources: formats that kernels read without scales.
const (
	srcF32 = iota
	srcF16
	srcBF16
	srcNone = -1
)

func sourceOf(f *Format) int {
	switch f {
	case F32:
		return srcF32
	case F16:
		return srcF16
	case BF16:
		return srcBF16
	}
	return srcNone
}

var floatsAVX2 = floats{
	dot: [3][]dotTile{
		{{3, mulF32Tile2x3AVX2}, {2, mulF32Tile2x2AVX2}},
		{{3, mulF16Tile2x3AVX2}, {2, mulF16Tile2x2AVX2}},
		{{3, mulBF16Tile2x3AVX2}, {2, mulBF16Tile2x2AVX2}},
	},
	dot1:   [3]dotTileFunc{mulF32Tile1x1AVX2, mulF16Tile1x1AVX2, mulBF16Tile1x1AVX2},
	dotF8:  []f8Tile{{4, mulF8Tile1x4AVX2}, {3, mulF8Tile1x3AVX2}, {2, mulF8Tile1x2AVX2}, {1, mulF8Tile1x1AVX2}},
	sumRow: [3]func(*float32, *byte, int, int, *float32, int){mulTF32RowsAVX2, mulTF16RowsAVX2, mulTBF16RowsAVX2},
	sum: [3][]sumTile{
		{{3, mulTF32Tile3AVX2}, {2, mulTF32Tile2AVX2}},
		{{3, mulTF16Tile3AVX2}, {2, mulTF16Tile2AVX2}},
		{{3, mulTBF16Tile3AVX2}, {2, mulTBF16Tile2AVX2}},
	},
	convert:   [3]func(*float32, *byte, int){nil, convertF16AVX2, convertBF16AVX2},
	narrowF16: narrowF16AVX2,
	convertF8: convertF8AVX2,

	valuesSuper: valuesSuperAVX2,
	valuesSmall: valuesSmallAVX2,
	convertQ8_0: convertQ8_0AVX2,
}

var floatsAVX512 = floats{
	dot: [3][]dotTile{
		{{6, mulF32Tile4x6AVX512}, {4, mulF32Tile4x4AVX512}, {2, mulF32Tile4x2AVX512}},
		{{6, mulF16Tile4x6AVX512}, {4, mulF16Tile4x4AVX512}, {2, mulF16Tile4x2AVX512}},
		{{6, mulBF16Tile4x6AVX512}, {4, mulBF16Tile4x4AVX512}, {2, mulBF16Tile4x2AVX512}},
	},
	dot1:   [3]dotTileFunc{mulF32Tile1x1AVX512, mulF16Tile1x1AVX512, mulBF16Tile1x1AVX512},
	dotF8:  []f8Tile{{4, mulF8Tile1x4AVX512}, {3, mulF8Tile1x3AVX512}, {2, mulF8Tile1x2AVX512}, {1, mulF8Tile1x1AVX512}},
	sumRow: [3]func(*float32, *byte, int, int, *float32, int){mulTF32RowsAVX512, mulTF16RowsAVX512, mulTBF16RowsAVX512},
	sum: [3][]sumTile{
		{{6, mulTF32Tile6AVX512}, {4, mulTF32Tile4AVX512}, {2, mulTF32Tile2AVX512}},
		{{6, mulTF16Tile6AVX512}, {4, mulTF16Tile4AVX512}, {2, mulTF16Tile2AVX512}},
		{{6, mulTBF16Tile6AVX512}, {4, mulTBF16Tile4AVX512}, {2, mulTBF16Tile2AVX512}},
	},
	convert:   [3]func(*float32, *byte, int){nil, convertF16AVX512, convertBF16AVX512},
	narrowF16: narrowF16AVX512,
	convertF8: convertF8AVX512,

	valuesSuper: valuesSuperAVX512,
	valuesSmall: valuesSmallAVX512,
	convertQ8_0: convertQ8_0AVX512,
}

// fill puts the entries into a table.
func (t *floats) fill(tab *table) {
	tab.mulFloat = t.mulFloat
	tab.mulT = t.mulT
	tab.storeF16 = t.storeF16
}

// storeF16 leaves NaN, whose bits are its own, to the portable form, as it does the rest
// of 16 values.
func (t *floats) storeF16(dst []byte, src []float32) {
	n := len(src) &^ 15
	if n > 0 && (len(dst) < 2*len(src) || !t.narrowF16(&dst[0], &src[0], n)) {
		n = 0
	}
	storeF16(dst[2*n:], src[n:])
}

// convertedBytes is the room for converted rows: a part of the second cache. From 32 KB to
// 256 KB measured alike, 512 KB a tenth slower.
const convertedBytes = 128 << 10

// directColumns is the number of columns up to which converting 16-bit weights
// for each register tile costs less than converting rows once.
const directColumns = 6

// mulFloat takes f32 rows, and others for few columns, as they lie; else it
// converts some rows at a time.
func (t *floats) mulFloat(dst []float32, ld int, w *Weights, x []float32, cols []int32, n int, s *Scratch) {
	k := w.K
	if n == 0 || w.Rows == 0 {
		return
	}
	if k == 0 {
		mulFloat(dst, ld, w, x, cols, n, s)
		return
	}
	off := s.offsets(cols, n, k, x[:max(len(x)-k+1, 0)])
	w.check()
	d, xp := unsafe.SliceData(dst), unsafe.SliceData(x)
	r, src := 0, sourceOf(w.Format)
	switch {
	case src == srcF32, src != srcNone && k%16 == 0 && n <= directColumns:
		t.dots(d, ld, src, unsafe.SliceData(w.Data), w.Stride, w.Rows, aheadOf(w), k, xp, off)
		return
	case w.Format == F8E4M3 && k%64 == 0 && n <= t.dotF8[0].cols:
		for ; r < w.Rows; r++ {
			if !t.rowF8(dst[r:], ld, w, r, xp, off) {
				row := w.Slice(r, r+1)
				mulFloat(dst[r:], ld, &row, x, cols, n, s)
			}
		}
	}
	if r == w.Rows {
		return
	}
	step := min(max(convertedBytes/(4*k), 4)&^3, w.Rows-r)
	buf := s.floats(step * k)
	for ; r < w.Rows; r += step {
		rows := min(step, w.Rows-r)
		for i := range rows {
			t.row(buf[i*k:][:k], w, r+i, s)
		}
		t.dots(&dst[r], ld, srcF32, bytesOf(buf), 4*k, rows, 0, k, xp, off)
	}
}

// check panics if rows lie outside the data.
func (w *Weights) check() {
	if w.Rows > 0 {
		_, _ = w.Data[:w.rowBytes()], w.Data[(w.Rows-1)*w.Stride:][:w.rowBytes()]
	}
}

// bytesOf is the address of values that a kernel reads as bytes.
func bytesOf(x []float32) *byte { return (*byte)(unsafe.Pointer(unsafe.SliceData(x))) }

// offsets returns where each column starts, in values. starts ends where the last
// one may.
func (s *Scratch) offsets(cols []int32, n, ld int, starts []float32) []int {
	if cap(s.off) < n {
		s.off = make([]int, n)
	}
	off := s.off[:n]
	for j := range off {
		off[j] = col(cols, j) * ld
		_ = starts[off[j]]
	}
	return off
}

// dots sets dst[j*ld+r] to the product of row r and column j, for all rows and
// columns. k is a multiple of 16 but for f32.
//
// A single column takes one row after another: memory is then read in order and
// nothing is asked for ahead, which two threads did at 100 % of the speed of plain
// reading, against 70 to 80 % with four rows side by side.
func (t *floats) dots(dst *float32, ld, src int, w *byte, stride, rows, ahead, k int, x *float32, off []int) {
	at := func(r, j int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(dst), 4*(j*ld+r))) }
	for j, c := 0, 0; j < len(off); {
		if c == len(t.dot[src]) {
			t.dot1[src](at(0, j), ld, w, stride, rows, ahead, x, &off[j], k)
			j++
			continue
		}
		tile := t.dot[src][c]
		// Eight columns are better two times four than six and two; so are all where
		// rows are short, because the trees of six are a quarter more than those of four.
		if rest := len(off) - j; rest < tile.cols || tile.cols == 6 && (rest == 8 || k <= shortRow && rest >= 4) {
			c++
			continue
		}
		r := rows &^ 3
		if r > 0 {
			tile.f(at(0, j), ld, w, stride, r, ahead, x, &off[j], k)
		}
		for i := j; r < rows && i < j+tile.cols; i++ {
			t.dot1[src](at(r, i), ld, (*byte)(unsafe.Add(unsafe.Pointer(w), r*stride)), stride, rows-r, ahead, x, &off[i], k)
		}
		j += tile.cols
	}
}

// shortRow is the length up to which rows meet four columns at a time and not six.
const shortRow = 256

// aheadOf returns how far ahead rows are fetched, in bytes: four rows, or as many
// more as make 4 KB.
func aheadOf(w *Weights) int { return w.Stride * max(4, 4096/w.rowBytes()) }

// rowF8 is dots for row r of scaled 8-bit floats. It returns false for what its
// kernels leave to the portable form.
func (t *floats) rowF8(dst []float32, ld int, w *Weights, r int, x *float32, off []int) bool {
	data, _, scale := w.row(r)
	for j, c := 0, 0; j < len(off); {
		tile := t.dotF8[c]
		if len(off)-j < tile.cols {
			c++
			continue
		}
		if !tile.f(&dst[j*ld], ld, &data[0], &scale[0], x, &off[j], w.K) {
			return false
		}
		j += tile.cols
	}
	return true
}

// row is [Weights.Row].
func (t *floats) row(dst []float32, w *Weights, r int, s *Scratch) {
	f, n := w.Format, len(dst)&^15
	data, s8, s32 := w.row(r)
	switch src := sourceOf(f); {
	case f == F8E4M3 && n > 0:
		if !t.convertF8(&dst[0], &data[0], &s32[0], n) {
			n = 0
		}
		f.LoadScaled(dst[n:], data[n:], s32[n/128:])
	case src > srcF32 && n > 0:
		t.convert[src](&dst[0], &data[0], n)
		f.Load(dst[n:], data[2*n:])
	case f == Q8_0 && n > 0:
		t.convertQ8_0(&dst[0], &data[0], w.K/32)
	case f.Super != nil:
		for i := 0; i < w.K; i += 256 {
			f.Super(&s.super, data[i/256*f.Bytes:])
			t.valuesSuper(&dst[i : i+256][0], (*byte)(unsafe.Pointer(&s.super)))
		}
	case f.Small != nil, f.SmallBeside != nil, f.Pair != nil:
		for i := 0; i < w.K; i += 32 {
			b := w.small(&s.pair, data, s8, i/32)
			t.valuesSmall(&dst[i : i+32][0], (*byte)(unsafe.Pointer(b)))
		}
	default:
		w.Row(dst, r)
	}
}

// mulT takes float rows of whole groups as they lie, and converts others some
// rows at a time.
func (t *floats) mulT(dst []float32, ld int, w *Weights, x []float32, ldx int, cols []int32, n int, s *Scratch) {
	k := w.K
	for j := range n {
		clear(dst[j*ld:][:k])
	}
	if k == 0 || n == 0 || w.Rows == 0 {
		return
	}
	off := s.offsets(cols, n, ldx, x[:max(len(x)-w.Rows+1, 0)])
	w.check()
	xp := unsafe.SliceData(x)
	if src := sourceOf(w.Format); src != srcNone && k%16 == 0 {
		t.sums(unsafe.SliceData(dst), ld, src, unsafe.SliceData(w.Data), w.Stride, w.Rows, aheadOf(w), k, xp, off)
		return
	}
	step := min(max(convertedBytes/(4*k), 4)&^3, w.Rows)
	buf := s.floats(step * k)
	for r := 0; r < w.Rows; r += step {
		rows := min(step, w.Rows-r)
		for i := range rows {
			t.row(buf[i*k:][:k], w, r+i, s)
		}
		if m := k &^ 15; m > 0 {
			t.sums(unsafe.SliceData(dst), ld, srcF32, bytesOf(buf), 4*k, rows, 0, m, (*float32)(unsafe.Add(unsafe.Pointer(xp), 4*r)), off)
		}
		for i := range rows {
			for j, o := range off {
				axpy(dst[j*ld:][k&^15:k], x[o+r+i], buf[i*k:][k&^15:k])
			}
		}
	}
}

// sums adds to dst[j*ld+c] the products of x[off[j]+r] and w[r][c] for ascending r.
// k is a multiple of 16.
func (t *floats) sums(dst *float32, ld, src int, w *byte, stride, rows, ahead, k int, x *float32, off []int) {
	for j, c := 0, 0; j < len(off); {
		d := (*float32)(unsafe.Add(unsafe.Pointer(dst), 4*j*ld))
		if c == len(t.sum[src]) {
			t.sumRow[src](d, w, stride, rows, (*float32)(unsafe.Add(unsafe.Pointer(x), 4*off[j])), k)
			j++
			continue
		}
		tile := t.sum[src][c]
		if len(off)-j < tile.cols {
			c++
			continue
		}
		tile.f(d, ld, w, stride, rows, ahead, x, &off[j], k)
		j += tile.cols
	}
}
