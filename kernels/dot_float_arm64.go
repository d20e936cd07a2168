//go:build !purego

package kernels

import "unsafe"

// mulFloatNEON works on four rows at a time. One or two columns take 16-bit
// weights as they lie; three share the conversion of the rows to float32.
func mulFloatNEON(dst []float32, ld int, w *Weights, x []float32, cols []int32, n int, s *Scratch) {
	k := w.K
	if w.Rows == 0 || n == 0 {
		return
	}
	w.row(w.Rows - 1) // panics if it is not there
	if k == 0 {
		mulFloat(dst, ld, w, x, cols, n, s)
		return
	}
	f := w.Format
	if f == F32 {
		dotsF32(dst, ld, unsafe.Pointer(unsafe.SliceData(w.Data)), w.Stride, w.Rows, k, x, k, cols, n)
		return
	}
	direct := n < 3 && (f == F16 || f == BF16)
	buf := s.floats(max(4*k, 5*16))
	tail := (*[5][16]float32)(unsafe.Pointer(&buf[0])) // not a variable: what Load gets escapes
	for r := 0; r < w.Rows; r += 4 {
		rows := min(4, w.Rows-r)
		if direct {
			p := rows4(unsafe.Pointer(&w.Data[r*w.Stride]), w.Stride, rows)
			for j := range n {
				var out [4]float32
				col := x[col(cols, j)*k:][:k]
				if f == F16 {
					dots4F16(&out, p[0], p[1], p[2], p[3], &col[0], k/16, tail4(tail, w, r, rows, col))
				} else {
					dots4BF16(&out, p[0], p[1], p[2], p[3], &col[0], k/16, tail4(tail, w, r, rows, col))
				}
				copy(dst[j*ld+r:][:rows], out[:])
			}
			continue
		}
		for i := range rows {
			rowNEON(w, buf[i*k:], r+i)
		}
		dotsF32(dst[r:], ld, unsafe.Pointer(&buf[0]), 4*k, rows, k, x, k, cols, n)
	}
}

// rowNEON is w.Row, faster for 16-bit floats.
func rowNEON(w *Weights, dst []float32, r int) {
	n := w.K &^ 7
	if n == 0 || (w.Format != F16 && w.Format != BF16) {
		w.Row(dst, r)
		return
	}
	src := w.Data[r*w.Stride:][:2*w.K]
	if w.Format == F16 {
		convertF16(&dst[0], &src[0], n/8)
	} else {
		convertBF16(&dst[0], &src[0], n/8)
	}
	w.Format.Load(dst[n:w.K], src[2*n:])
}

// rows4 returns the addresses of rows rows, the last one repeated up to four.
func rows4(p unsafe.Pointer, stride, rows int) (a [4]unsafe.Pointer) {
	for i := range a {
		a[i] = unsafe.Add(p, stride*min(i, rows-1))
	}
	return a
}

// tail4 writes to tail the last k%16 values of four rows and a column, padded
// with zeros to 16 each; it returns nil if there are none.
func tail4(tail *[5][16]float32, w *Weights, r, rows int, col []float32) *float32 {
	k := len(col) &^ 15
	if k == len(col) {
		return nil
	}
	*tail = [5][16]float32{}
	for i := range rows {
		w.Format.Load(tail[i][:len(col)-k], w.Data[(r+i)*w.Stride+2*k:])
	}
	copy(tail[4][:], col[k:])
	return &tail[0][0]
}

// dotsF32 sets dst[j*ld+r] to the dot product of row r at w+r*stride, k values,
// with column cols[j] of x, whose columns are ldx apart: tiles of two rows and
// three columns, and of four rows and one for the columns left over.
func dotsF32(dst []float32, ld int, w unsafe.Pointer, stride, rows, k int, x []float32, ldx int, cols []int32, n int) {
	var room [5][16]float32
	var tail *float32
	if k%16 != 0 {
		tail = &room[0][0]
	}
	for r := 0; r < rows; r += 4 {
		p := rows4(unsafe.Add(w, r*stride), stride, min(4, rows-r))
		j := 0
		for ; j+3 <= n; j += 3 {
			c := [3]unsafe.Pointer{}
			for i := range c {
				c[i] = unsafe.Pointer(&x[col(cols, j+i)*ldx:][:k][0])
			}
			for i := 0; i < min(4, rows-r); i += 2 {
				var out [8]float32
				if tail != nil {
					fillTail(tail, k, p[i], p[i+1], c[0], c[1], c[2])
				}
				dots2x3(&out, p[i], p[i+1], c[0], c[1], c[2], k/16, tail)
				for m := range 3 {
					dst[(j+m)*ld+r+i] = out[m]
					if r+i+1 < rows {
						dst[(j+m)*ld+r+i+1] = out[3+m]
					}
				}
			}
		}
		for ; j < n; j++ {
			var out [4]float32
			col := &x[col(cols, j)*ldx:][:k][0]
			if tail != nil {
				fillTail(tail, k, p[0], p[1], p[2], p[3], unsafe.Pointer(col))
			}
			dots4F32(&out, p[0], p[1], p[2], p[3], col, k/16, tail)
			copy(dst[j*ld+r:][:min(4, rows-r)], out[:])
		}
	}
}

// fillTail sets the five groups of tail to the last k%16 values of five vectors.
func fillTail(tail *float32, k int, p ...unsafe.Pointer) {
	for i, p := range p {
		from := unsafe.Slice((*float32)(unsafe.Add(p, 4*(k&^15))), k%16)
		copy(unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(tail), 64*i)), 16), from)
	}
}

// dots4F32 sets dst to the dot products of four rows with x over n groups of 16
// and, if tail is not nil, one more, whose 16 values of each row and of x lie
// there as float32.
//
//go:noescape
func dots4F32(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, x *float32, n int, tail *float32)

//go:noescape
func dots4F16(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, x *float32, n int, tail *float32)

//go:noescape
func dots4BF16(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, x *float32, n int, tail *float32)

// dots2x3 sets dst[3*r+c] to the dot product of row r with column c; tail as in
// dots4F32.
//
//go:noescape
func dots2x3(dst *[8]float32, w0, w1, x0, x1, x2 unsafe.Pointer, n int, tail *float32)

// convertF16: n groups of 8.
//
//go:noescape
func convertF16(dst *float32, src *byte, n int)

// convertBF16: n groups of 8.
//
//go:noescape
func convertBF16(dst *float32, src *byte, n int)
