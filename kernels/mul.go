package kernels

// Acts holds n rows of activations as products take them: always in float32, and
// in 8 bits for the block lengths that are set. A product with block-quantised
// weights takes the row of its block length, and float32 with the exact values of
// the weights where there is none.
type Acts struct {
	K         int
	F32       []float32 // (n, K)
	Q32, Q256 *Q8       // (n, K) or nil
}

// q8 returns the rows in blocks of block values, or nil.
func (x *Acts) q8(block int) *Q8 {
	if block == 256 {
		return x.Q256
	}
	return x.Q32
}

// Scratch is one worker's room for unpacked weights. The zero value is ready.
type Scratch struct {
	View Weights // for the caller: rows at work
	Next []byte  // for the caller: weights that follow the next product's, asked for while its last rows are read

	tile   tileScratch
	row    []float32
	off    []int // starts of columns
	attend attendScratch
	super  Super    // a block's room: what a Format's functions get escapes
	pair   [2]Small // likewise
}

func (s *Scratch) floats(n int) []float32 {
	if cap(s.row) < n {
		s.row = make([]float32, n)
	}
	return s.row[:n]
}

// Mul sets dst[j*ld+r] to the product of row r of w with row cols[j] of x, for
// all rows and columns. cols nil stands for 0, 1, ... n-1.
func Mul(dst []float32, ld int, w *Weights, x *Acts, cols []int32, n int, s *Scratch) {
	if x.K != w.K || (cols != nil && len(cols) != n) || (n > 0 && len(dst) < (n-1)*ld+w.Rows) {
		panic("kernels: Mul: shapes do not fit")
	}
	if n == 0 || w.Rows == 0 {
		return
	}
	if block, ok := w.Format.Integer(); ok {
		if q := x.q8(block); q != nil {
			active.mulQ8(dst, ld, w, q, cols, n, s)
			return
		}
	}
	active.mulFloat(dst, ld, w, x.F32, cols, n, s)
}

func col(cols []int32, j int) int {
	if cols == nil {
		return j
	}
	return int(cols[j])
}

// mulFloat: the dot product of each row's exact values with each column.
func mulFloat(dst []float32, ld int, w *Weights, x []float32, cols []int32, n int, s *Scratch) {
	row := s.floats(w.K)
	for r := range w.Rows {
		w.Row(row, r)
		for j := range n {
			dst[j*ld+r] = dot(row, x[col(cols, j)*w.K:][:w.K])
		}
	}
}

// mulQ8: exact integers within a block, one float step per block.
func mulQ8(dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
	for r := range w.Rows {
		data, s8, _ := w.row(r)
		for j := range n {
			y := x.row(col(cols, j), w.K)
			if w.Format.Super != nil {
				dst[j*ld+r] = dotSuper(w, data, &y, &s.super)
			} else {
				dst[j*ld+r] = dotSmall(w, data, s8, &y, &s.pair)
			}
		}
	}
}

func dotSuper(w *Weights, data []byte, y *Q8, b *Super) float32 {
	var acc float32
	for i, dy := range y.D {
		w.Format.Super(b, data[i*w.Format.Bytes:])
		isum, msum := b.dot(y.Q[256*i:][:256], y.Sums[16*i:][:16])
		acc = FMA(float32(isum), float32(b.D*dy), acc)
		if w.Format.Min {
			acc = FMA(float32(msum), -float32(b.DMin*dy), acc)
		}
	}
	return acc
}

// dot returns sum Scale*Q*q and sum Min*sums.
func (b *Super) dot(q []int8, sums []int16) (isum, msum int32) {
	for s, scale := range b.Scale {
		var t int32
		w, q := b.Q[16*s:][:16], q[16*s:][:16]
		for i, v := range w {
			t += int32(v) * int32(q[i])
		}
		isum += int32(scale) * t
		msum += int32(b.Min[s]) * int32(sums[s])
	}
	return isum, msum
}

func dotSmall(w *Weights, data, s8 []byte, y *Q8, room *[2]Small) float32 {
	var acc float32
	for i, dy := range y.D {
		b := w.small(room, data, s8, i)
		q := y.Q[32*i:][:32]
		var half [2]int32
		for i, v := range b.Q {
			half[i/16] += int32(v) * int32(q[i])
		}
		if w.Format.Per16 {
			acc = FMA(float32(half[0]), float32(b.D[0]*dy), acc)
			acc = FMA(float32(half[1]), float32(b.D[1]*dy), acc)
		} else {
			acc = FMA(float32(half[0]+half[1]), float32(b.D[0]*dy), acc)
		}
		if w.Format.Min {
			acc = FMA(float32(int32(y.Sums[2*i])+int32(y.Sums[2*i+1])), float32(b.M*dy), acc)
		}
	}
	return acc
}

// MulT sets dst[j*ld+c] = sum over r of x[cols[j]][r] * w[r][c], for c < w.K: the
// product with the transposed matrix, one fma for each r in ascending order.
// Row i of x starts at x[i*ldx].
func MulT(dst []float32, ld int, w *Weights, x []float32, ldx int, cols []int32, n int, s *Scratch) {
	if (cols != nil && len(cols) != n) || (n > 0 && len(dst) < (n-1)*ld+w.K) {
		panic("kernels: MulT: shapes do not fit")
	}
	active.mulT(dst, ld, w, x, ldx, cols, n, s)
}

func mulT(dst []float32, ld int, w *Weights, x []float32, ldx int, cols []int32, n int, s *Scratch) {
	for j := range n {
		clear(dst[j*ld:][:w.K])
	}
	row := s.floats(w.K)
	for r := range w.Rows {
		w.Row(row, r)
		for j := range n {
			axpy(dst[j*ld:][:w.K], x[col(cols, j)*ldx+r], row)
		}
	}
}

// Axpy sets dst[i] = fma(a, x[i], dst[i]).
func Axpy(dst []float32, a float32, x []float32) {
	if len(dst) != len(x) {
		panic("kernels: Axpy: lengths differ")
	}
	active.axpy(dst, a, x)
}

func axpy(dst []float32, a float32, x []float32) {
	for i, v := range x {
		dst[i] = FMA(a, v, dst[i])
	}
}
