//go:build !purego

package kernels

import "unsafe"

// mulTRows is the number of rows that are converted to float32 at a time.
const mulTRows = 64

func mulTNEON(dst []float32, ld int, w *Weights, x []float32, ldx int, cols []int32, n int, s *Scratch) {
	for j := range n {
		clear(dst[j*ld:][:w.K])
	}
	if w.K == 0 || n == 0 {
		return
	}
	for r := 0; r < w.Rows; r += mulTRows {
		part := w.Slice(r, min(r+mulTRows, w.Rows))
		var buf []float32
		if w.Format != F32 {
			buf = s.floats(mulTRows * w.K)
		}
		v, stride := part.floatRows(buf, 0, part.Rows)
		weightedSums(dst, ld, w.K, x[r:], ldx, cols, n, v, stride, part.Rows)
	}
}

// weightedSums sets dst[i*ld+c], c < k, to fma(p[cols[i]*ldp+t], v[t][c], dst[i*ld+c])
// for n ascending rows t of v, which are stride bytes apart: four rows and 16
// columns at a time, of the rows left over 32 columns.
func weightedSums(dst []float32, ld, k int, p []float32, ldp int, cols []int32, rows int, v unsafe.Pointer, stride, n int) {
	for i := 0; i < rows; {
		c, m := 0, 1
		if i+4 <= rows {
			var q [4]*float32
			for j := range q {
				q[j] = &p[col(cols, i+j)*ldp:][:n][0]
			}
			for m = 4; c+16 <= k; c += 16 {
				sums4x16(&dst[i*ld+c], ld, q[0], q[1], q[2], q[3], unsafe.Add(v, 4*c), stride, n)
			}
		}
		for end := i + m; i < end; i++ {
			weightedSum(dst[i*ld:][:k], c, p[col(cols, i)*ldp:][:n], v, stride)
		}
	}
}

// weightedSum is weightedSums for one row, from column c on.
func weightedSum(dst []float32, c int, p []float32, v unsafe.Pointer, stride int) {
	for ; c+32 <= len(dst); c += 32 {
		sums1x32(&dst[c], &p[0], unsafe.Add(v, 4*c), stride, len(p))
	}
	for ; c+4 <= len(dst); c += 4 {
		sums1x4(&dst[c], &p[0], unsafe.Add(v, 4*c), stride, len(p))
	}
	for ; c < len(dst); c++ {
		for t, p := range p {
			dst[c] = FMA(p, *(*float32)(unsafe.Add(v, t*stride+4*c)), dst[c])
		}
	}
}

// sums4x16 adds 16 columns of n > 0 rows of v to four rows of dst, ld values apart.
//
//go:noescape
func sums4x16(dst *float32, ld int, p0, p1, p2, p3 *float32, v unsafe.Pointer, stride, n int)

//go:noescape
func sums1x32(dst, p *float32, v unsafe.Pointer, stride, n int)

//go:noescape
func sums1x4(dst, p *float32, v unsafe.Pointer, stride, n int)
