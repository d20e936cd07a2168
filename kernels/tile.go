//go:build amd64 && !purego

package kernels

//lint:file-ignore U1000 the fields of tiles are read and written by assembly only

import "unsafe"

// Products in 8 bits on x86 run in tiles of 16 rows, in which a lane is a row:
// integers are never added across lanes, and minima, scales and the float step
// of 16 rows cost one instruction each. Rows become lanes by shuffles, straight
// from the file's bytes, dwords of packed codes first and codes afterwards.
//
// A tile is exact: the same integers and scales as the format's unpacker gives,
// codes made unsigned by adding a bias, because x86 multiplies unsigned by signed
// bytes. What the bias adds is taken off by the sums of the activations.
//
// With several columns a few blocks of 16 rows are stored as a tile, which stays
// in the first cache, and met by the columns eight at a time. Measured on one Zen 4
// core with weights in the second cache, as part of its peak of 233 G
// multiply-adds a second, making the tiles included:
//
//	columns      8     16     32     64    256
//	q4_K       56 %   64 %   69 %   71 %   73 %
//	q6_K       45 %   55 %   61 %   65 %   67 %
//	q8_0       46 %   56 %   63 %   66 %   70 %
//	mxfp4      49 %   59 %   65 %   68 %   71 %
//
// The rest is the scales of sub-blocks (a ninth of the multiplier's time for 32
// values, a fifth for 16), minima, and stores of tiles, which are bound by one store
// of 32 bytes a cycle. An Intel core multiplies twice as much a cycle, but no more than
// that: what shares its two units with the products weighs double. Emerald Rapids, of
// 360 G a second, best of many calls:
//
//	columns      8     16     32    256
//	q4_K       43 %   52 %   59 %   67 %
//	q6_K       29 %   36 %   42 %   50 %
//	q8_0       34 %   43 %   51 %   61 %
//	mxfp4      36 %   44 %   50 %   59 %
//
// With one column the stores of tiles cost more than memory leaves
// room for (q4_K 20 GB/s): there the codes are multiplied in the registers they
// are in (q4_K 31, q6_K 26, q8_0 39, mxfp4 17, the hub's 13 GB/s; memory gives one
// core of two 15). With AVX2 a super-block's scales and floats wait in the first
// cache meanwhile, as 16 registers have no place for them (q4_K 30, q6_K 26, q8_0 32,
// mxfp4 15 GB/s; tiles gave q4_K and q6_K 20). Codebook formats with one column stay
// rows (iq1_s 5.9, iq2_s 9.4, iq2_xxs 8.1, iq3_xxs 9.6 GB/s; by way of records and
// tiles it was 2.2, 3.7, 3.2, 4.0).

const (
	tileRows  = 16
	tileBytes = 25 << 10 // four super-blocks
)

// superTile is a super-block of 16 rows.
type superTile struct {
	group   [8]tileGroup
	corr    [8][tileRows][2]int16 // -bias*Scale of two sums of the activations
	min     [8][tileRows][2]int16 // four, of sums of 32 values, where scales are for 32
	d, dMin [tileRows]float32
}

// tileGroup is 32 values of 16 rows.
type tileGroup struct {
	q     [8][tileRows][4]byte
	scale [2][tileRows][2]int16 // each scale twice; the first alone where 32 values share one
}

// smallTile is a block of 32 values of 16 rows.
type smallTile struct {
	q [8][tileRows][4]byte
	d [2][tileRows]float32 // the first alone where 32 values share one
	m [tileRows]float32
}

const (
	superTileSize = int(unsafe.Sizeof(superTile{}))
	smallTileSize = int(unsafe.Sizeof(smallTile{}))
)

// tileForm says what a format's tiles look like.
type tileForm struct {
	bias  int // added to each code
	sub   int // values that share a scale
	bits  int // 4, 5, 6 or 8: codes with bias are at most 15, 31, 64 or 255
	super bool
}

// corr is a pair of -bias, for the two sums of a block of 32.
func (f tileForm) corr() int { return int(uint16(-f.bias)) * 0x10001 }

// expanded is a super-block of one row of a codebook format.
type expanded struct {
	q     [256]int8
	scale [16]int8
	d     float32
	_     [3]float32 // to whole units of 16 bytes
}

const expandedSize = int(unsafe.Sizeof(expanded{}))

// tileColumn is a column's offsets, in bytes, in Q, D and the sums of the activations
// and in the product.
type tileColumn struct{ q, d, sums, dst int }

// tileScratch is the room for tiles.
type tileScratch struct {
	asked    *byte // the tile that was asked for
	columns  []tileColumn
	sums     []int16 // of 32 activations, column by column, if summed
	summed   bool
	buf      []byte
	rowSums  []byte
	expanded []byte
	rows     []byte    // a few rows, padded to 16
	full     Weights   // a view of them
	dst      []float32 // their products
}

// tiles returns room for tileBytes, aligned to a cache line.
func (s *tileScratch) tiles() *byte {
	return aligned(&s.buf, tileBytes)
}

// aligned returns n bytes of b, aligned to a cache line.
func aligned(b *[]byte, n int) *byte {
	if len(*b) < n+63 {
		*b = make([]byte, n+63)
	}
	p := unsafe.Pointer(unsafe.SliceData(*b))
	return (*byte)(unsafe.Add(p, -int(uintptr(p))&63))
}

// mulTiles is mulQ8 for tables with kernels for tiles.
func mulTiles(mul *tileKernel, dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
	if tileForms[w.Format.kind].sub == 0 || w.K == 0 {
		mulQ8(dst, ld, w, x, cols, n, s)
		return
	}
	if w.Rows < tileRows {
		mulFewRows(mul, dst, ld, w, x, cols, n, s)
		return
	}
	if n == 0 {
		return
	}
	if len(dst) < (n-1)*ld+w.Rows || len(w.Data) < (w.Rows-1)*w.Stride+w.rowBytes() {
		panic("kernels: Mul: shapes do not fit")
	}
	ts := &s.tile
	ts.setColumns(x, w.K, cols, n, ld)
	// A tile is asked for while the one before is read, be it of the product before;
	// of the first, with hundreds of columns, a part at a time.
	next := s.Next
	s.Next = nil
	if n == 1 && ts.asked != unsafe.SliceData(w.Data) {
		mul.read(w.Data[:min(tileRows*w.Stride, len(w.Data))])
	}
	ts.asked = unsafe.SliceData(next)
	last := w.Rows - tileRows
	for r := 0; ; r = min(r+tileRows, last) { // the last tile may compute some rows again
		ahead := 0
		switch {
		case r < last:
			ahead = tileRows * w.Stride
		case next != nil:
			ahead = int(uintptr(unsafe.Pointer(ts.asked)) - uintptr(unsafe.Pointer(&w.Data[r*w.Stride])))
		}
		if n > 1 || !mul.dot(w, ts, &dst[r], r, x, col(cols, 0), ahead) {
			mul.tile(ts, dst, ld, w, r, ahead, x, n)
		}
		if r == last {
			return
		}
	}
}

// tile sets the product of rows r to r+15 with the n columns of ts.
func (mul *tileKernel) tile(ts *tileScratch, dst []float32, ld int, w *Weights, r, ahead int, x *Q8, n int) {
	form, buf := tileForms[w.Format.kind], ts.tiles()
	size, sums, most := smallTileSize, x.Sums, x.Block/16
	if form.super {
		size = superTileSize
		if form.sub == 32 {
			sums, most = ts.sums32(x, w.K, n), x.Block/32
		}
	}
	blocks := w.K / x.Block
	bytes := w.Format.Bytes * x.Block / w.Format.Block // of one of them
	groups := (n + mul.columns - 1) / mul.columns
	room := tileBytes
	if groups < 4 { // 16 columns meet two super-blocks at 52 % of the peak and four at 49, 256 at 63 and 67 (Emerald Rapids)
		room /= 2
	}
	part := room / size &^ 1 // blocks

	for i := 0; i < blocks; i += part {
		nb := min(part, blocks-i)
		if r == 0 && n > 1 {
			if i == 0 {
				tilePrefetch(&w.Data[0], w.Stride, tileRows, nb*bytes)
			}
			if next := min(part, blocks-i-nb); next > 0 {
				tilePrefetch(&w.Data[(i+nb)*bytes], w.Stride, tileRows, next*bytes)
			}
		}
		mul.unpack(w, ts, buf, r, i, nb)
		var a asking
		size := tileRows * nb * bytes
		start := uintptr(unsafe.Pointer(&w.Data[r*w.Stride])) + uintptr(ahead+i*tileRows*bytes)
		for g := range groups { // of nearly equal size
			if ahead != 0 { // in the order bytes lie in, not the order they are read in
				a.from, a.step = start+uintptr(g*size/groups), uintptr(size/(groups*nb*x.Block/32))+1
				a.to = a.from + a.step
			}
			j, end := g*n/groups, (g+1)*n/groups
			mul.mul(form, w.Format.Min, &dst[r], buf, nb, &x.Q[i*x.Block], &x.D[i], &sums[i*most], &ts.columns[j].q, end-j, i == 0, a)
		}
	}
}

// asking says which lines a product asks for: those from from to to, and of step bytes
// more each 32 values.
type asking struct{ from, to, step uintptr }

// tileKernel adds products of tiles to dst.
type tileKernel struct {
	read    func(p []byte) // reads it in order
	columns int            // at most, in one call
	unpack  func(w *Weights, s *tileScratch, dst *byte, r, i, n int)
	dot     func(w *Weights, s *tileScratch, dst *float32, r int, x *Q8, c, ahead int) bool // one column, straight from the blocks
	mul     func(f tileForm, min bool, dst *float32, tile *byte, blocks int, q *int8, d *float32, sums *int16, cols *int, n int, first bool, a asking)
}

// setColumns sets the offsets of n columns.
func (s *tileScratch) setColumns(x *Q8, k int, cols []int32, n, ld int) {
	s.columns, s.summed = s.columns[:0], false
	for j := range n {
		c := col(cols, j)
		x.row(c, k) // panics if there is none
		s.columns = append(s.columns, tileColumn{c * k, c * (k / x.Block) * 4, c * (k / 16) * 2, j * ld * 4})
	}
}

// sums32 returns the sums of 32 activations of the n columns, and has them find theirs
// there. Minima for 32 values take half as many products with them: 4 of 72 for 32
// values and a column.
func (s *tileScratch) sums32(x *Q8, k, n int) []int16 {
	size := k / 32
	if s.summed {
		return s.sums
	}
	if cap(s.sums) < n*size {
		s.sums = make([]int16, n*size)
	}
	s.sums, s.summed = s.sums[:n*size], true
	for j := range s.columns {
		c := &s.columns[j]
		tileSums(&s.sums[j*size], &x.Sums[c.sums/2], k/256)
		c.sums = j * size * 2
	}
	return s.sums
}

// mulFewRows repeats the last row up to a whole tile.
func mulFewRows(mul *tileKernel, dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
	ts := &s.tile
	bytes, scales := w.rowBytes(), 0
	if w.Scale8 != nil {
		scales = w.K / 32
	}
	if need := tileRows * (bytes + scales); cap(ts.rows) < need {
		ts.rows = make([]byte, need)
	}
	if cap(ts.dst) < tileRows*n {
		ts.dst = make([]float32, tileRows*n)
	}
	full := &ts.full
	*full = *w
	full.Rows, full.Stride, full.ScaleStride = tileRows, bytes, scales
	full.Data = ts.rows[:tileRows*bytes]
	if scales > 0 {
		full.Scale8 = ts.rows[tileRows*bytes:][:tileRows*scales]
	}
	for r := range tileRows {
		data, s8, _ := w.row(min(r, w.Rows-1))
		copy(full.Data[r*bytes:], data)
		copy(full.Scale8[r*scales:], s8)
	}
	out := ts.dst[:tileRows*n]
	mulTiles(mul, out, tileRows, full, x, cols, n, s)
	for j := range n {
		copy(dst[j*ld:][:w.Rows], out[tileRows*j:])
	}
}
