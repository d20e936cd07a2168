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
// in the first cache and is met by the columns, a few at a time. Measured on one core
// with weights in the second cache, as part of its peak, making the tiles included, best
// of many calls:
//
//	columns      8     16     32     64    256
//	q4_K       47 %   57 %   64 %   68 %   70 %   Zen 5, of 480 G multiply-adds a second
//	q6_K       38 %   49 %   56 %   61 %   63 %
//	q8_0       37 %   50 %   59 %   65 %   70 %
//	mxfp4      42 %   54 %   62 %   67 %   70 %
//	q4_K       56 %   64 %   69 %   71 %   73 %   Zen 4, of 233 G; earlier kernels
//	q6_K       45 %   55 %   61 %   65 %   67 %
//	q8_0       46 %   56 %   63 %   66 %   70 %
//	mxfp4      49 %   59 %   65 %   68 %   71 %
//	q4_K       43 %   52 %   59 %          67 %   Emerald Rapids, of 360 G; earlier kernels
//	q6_K       29 %   36 %   42 %          50 %
//	q8_0       34 %   43 %   51 %          61 %
//	mxfp4      36 %   44 %   50 %          59 %
//
// The rest is the scales of sub-blocks (a ninth of the multiplier's time for 32
// values, a fifth for 16), minima, and stores of tiles. An Intel core multiplies twice as
// much a cycle as Zen 4, and no more than that: what shares its two units with the
// products weighs double. Zen 5 adds in two more units.
//
// With one column the stores of tiles cost more than memory leaves room for: there the
// codes are multiplied in the registers they are in, from the second cache at (GB/s)
//
//	       q4_K   q5_0   q6_K   q8_0   mxfp4
//	Zen 5    45     36     59     53     31   where memory gives one core of two 20 to 37
//	Zen 4    31            26     39     17   earlier kernels; 15
//
// With AVX2 a super-block's scales and floats wait in the first cache meanwhile, as 16
// registers have no place for them (Zen 4: q4_K 30, q6_K 26, q8_0 32, mxfp4 15; tiles gave
// q4_K and q6_K 20). Codebook formats with one column stay rows (Zen 4: iq1_s 5.9, iq2_s
// 9.4, iq2_xxs 8.1, iq3_xxs 9.6; by way of records and tiles it was 2.2, 3.7, 3.2, 4.0).

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
	sums     []int32 // what sumsOf made, column by column, if summed
	summed   bool
	buf      []byte
	rowSums  []byte
	expanded []byte
	rows     []byte    // a few rows, padded to whole tiles
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
	if n == 0 {
		return
	}
	straight := n == 1 && mul.straight(w)
	rows := tileRows
	if !straight {
		tiles, _ := mul.shape(tileForms[w.Format.kind])
		rows *= tiles
	}
	if w.Rows < rows {
		mulFewRows(mul, rows, dst, ld, w, x, cols, n, s)
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
		mul.read(w.Data[:min(rows*w.Stride, len(w.Data))])
	}
	ts.asked = unsafe.SliceData(next)
	last := w.Rows - rows
	for r := 0; ; r = min(r+rows, last) { // the last of them may be computed again
		ahead := 0
		switch {
		case r < last:
			ahead = rows * w.Stride
		case next != nil:
			ahead = int(uintptr(unsafe.Pointer(ts.asked)) - uintptr(unsafe.Pointer(&w.Data[r*w.Stride])))
		}
		if straight {
			mul.dot(w, ts, &dst[r], r, x, col(cols, 0), ahead)
		} else {
			mul.tile(ts, dst, ld, w, r, ahead, x, n)
		}
		if r == last {
			return
		}
	}
}

// tile sets the product of a tile, or of two, from row r on with the n columns of ts.
func (mul *tileKernel) tile(ts *tileScratch, dst []float32, ld int, w *Weights, r, ahead int, x *Q8, n int) {
	form, buf := tileForms[w.Format.kind], ts.tiles()
	size := smallTileSize
	if form.super {
		size = superTileSize
	}
	sums, sumsBytes := ts.sumsOf(form, w.Format.Min, x, w.K, n)
	blocks := w.K / x.Block
	bytes := w.Format.Bytes * x.Block / w.Format.Block // of one of them
	tiles, most := mul.shape(form)
	rows, groups := tiles*tileRows, (n+most-1)/most // of nearly equal size
	part := tileBytes / tiles / size                // blocks
	if form.super && groups < 4 {                   // 16 columns meet two super-blocks at 52 % of the peak and four at 49, 256 at 63 and 67 (Emerald Rapids)
		part /= 2
	}
	if !form.super {
		part &^= 1 // those of nvfp4 are two
	}

	for i := 0; i < blocks; i += part {
		nb := min(part, blocks-i)
		if r == 0 && n > 1 {
			if i == 0 {
				tilePrefetch(&w.Data[0], w.Stride, rows, nb*bytes)
			}
			if next := min(part, blocks-i-nb); next > 0 {
				tilePrefetch(&w.Data[(i+nb)*bytes], w.Stride, rows, next*bytes)
			}
		}
		for t := range tiles {
			mul.unpack(w, ts, (*byte)(unsafe.Add(unsafe.Pointer(buf), t*nb*size)), r+t*tileRows, i, nb)
		}
		var a asking
		share := 0      // of what is asked for
		if ahead != 0 { // in the order bytes lie in, not the order they are read in
			share = rows * nb * bytes / groups
			a.from = uintptr(unsafe.Pointer(&w.Data[r*w.Stride])) + uintptr(ahead+i*rows*bytes)
			a.step = uintptr(share*32/(nb*x.Block)) + 1
		}
		j, few, more := 0, n/groups, n%groups // columns, at least so many a group, one more in so many of them
		for g := range groups {
			cols := few
			if g < more {
				cols++
			}
			a.to = a.from + a.step
			mul.mul(form, w.Format.Min, &dst[r], buf, nb*size, nb, &x.Q[i*x.Block], &x.D[i], (*int16)(unsafe.Add(sums, i*sumsBytes)), &ts.columns[j].q, cols, i == 0, a)
			a.from += uintptr(share)
			j += cols
		}
	}
}

// asking says which lines a product asks for: those from from to to, and of step bytes
// more each 32 values.
type asking struct{ from, to, step uintptr }

// tileKernel adds products of tiles to dst.
type tileKernel struct {
	read     func(p []byte)                        // reads it in order
	shape    func(f tileForm) (tiles, columns int) // of one call, at most
	unpack   func(w *Weights, s *tileScratch, dst *byte, r, i, n int)
	straight func(w *Weights) bool                                                      // whether dot knows them
	dot      func(w *Weights, s *tileScratch, dst *float32, r int, x *Q8, c, ahead int) // one column, straight from the blocks of 16 rows
	mul      func(f tileForm, min bool, dst *float32, tile *byte, size, blocks int, q *int8, d *float32, sums *int16, cols *int, n int, first bool, a asking)
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

// sumsOf returns the sums that tiles of a form meet, and how many bytes of them a block
// has. Where scales are for 32 values they are made of those of 16 for the n columns,
// which find theirs there from then on:
//   - super-blocks have sums of 32 in 16 bits: minima take half as many products with
//     them, 4 of 72 for 32 values and a column;
//   - small blocks have the sum of 32 times -bias in 32 bits, with which products begin,
//     or the sum itself for minima.
func (s *tileScratch) sumsOf(f tileForm, min bool, x *Q8, k, n int) (unsafe.Pointer, int) {
	if f.sub != 32 {
		return unsafe.Pointer(unsafe.SliceData(x.Sums)), x.Block / 16 * 2
	}
	size, bytes := k/32*4, 4 // of a column, of a block
	if f.super {
		size, bytes = k/32*2, 16
	}
	if !s.summed {
		if need := n * (size / 4); cap(s.sums) < need {
			s.sums = make([]int32, need)
		}
		s.sums, s.summed = s.sums[:cap(s.sums)], true
		for j := range s.columns {
			c := &s.columns[j]
			dst, src := unsafe.Pointer(&s.sums[j*size/4]), &x.Sums[c.sums/2]
			switch {
			case f.super:
				tileSums((*int16)(dst), src, k/256)
			case min:
				tileProducts((*int32)(dst), src, k/32, 1)
			default:
				tileProducts((*int32)(dst), src, k/32, int16(-f.bias))
			}
			c.sums = j * size
		}
	}
	return unsafe.Pointer(&s.sums[0]), bytes
}

// mulFewRows repeats the last row up to so many.
func mulFewRows(mul *tileKernel, rows int, dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
	ts := &s.tile
	bytes, scales := w.rowBytes(), 0
	if w.Scale8 != nil {
		scales = w.K / 32
	}
	if need := rows * (bytes + scales); cap(ts.rows) < need {
		ts.rows = make([]byte, need)
	}
	if cap(ts.dst) < rows*n {
		ts.dst = make([]float32, rows*n)
	}
	full := &ts.full
	*full = *w
	full.Rows, full.Stride, full.ScaleStride = rows, bytes, scales
	full.Data = ts.rows[:rows*bytes]
	if scales > 0 {
		full.Scale8 = ts.rows[rows*bytes:][:rows*scales]
	}
	for r := range rows {
		data, s8, _ := w.row(min(r, w.Rows-1))
		copy(full.Data[r*bytes:], data)
		copy(full.Scale8[r*scales:], s8)
	}
	out := ts.dst[:rows*n]
	mulTiles(mul, out, rows, full, x, cols, n, s)
	for j := range n {
		copy(dst[j*ld:][:w.Rows], out[rows*j:])
	}
}
