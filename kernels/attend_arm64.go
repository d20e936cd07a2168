//go:build !purego

package kernels

import (
	"math"
	"unsafe"
)

// attnBatch is the number of queries that go through a block of keys together, as
// far as they see the same keys: a multiple of three for the scores and of four
// for the values (see dotsF32 and weightedSums).
const attnBatch = 12

func attendNEON(a *Attn, q []float32, ldq int, k, v *Weights, lo, hi []int32, scale float32, s *Scratch) {
	dk, dv := k.K, v.K
	first, last := AttnBlock, 0
	for j := range a.M {
		if lo[j] < hi[j] {
			first, last = min(first, int(lo[j])), max(last, int(hi[j]))
		}
	}
	if dk == 0 || dv == 0 || first >= last {
		attend(a, q, ldq, k, v, lo, hi, scale, s)
		return
	}
	buf := s.floats(AttnBlock*(dk+dv+attnBatch) + attnBatch*dv)
	score, buf := buf[:AttnBlock*attnBatch], buf[AttnBlock*attnBatch:]
	acc, buf := buf[:attnBatch*dv], buf[attnBatch*dv:]
	keys, ldk := k.floatRows(buf, first, last)
	values, ldv := v.floatRows(buf[AttnBlock*dk:], first, last)
	for j := 0; j < len(a.M); {
		from, to := int(lo[j]), int(hi[j])
		n := 1
		for n < attnBatch && j+n < len(a.M) && lo[j+n] == lo[j] && hi[j+n] == hi[j] {
			n++
		}
		if from < to {
			var l, m [attnBatch]float32
			dotsF32(score[from:], AttnBlock, unsafe.Add(keys, from*ldk), ldk, to-from, dk, q[j*ldq:], ldq, nil, n)
			for i := range n {
				m[i], l[i] = expScores(score[i*AttnBlock:][:AttnBlock], from, to, scale)
			}
			clear(acc[:n*dv])
			weightedSums(acc, dv, dv, score[from:], AttnBlock, nil, n, unsafe.Add(values, from*ldv), ldv, to-from)
			for i := range n {
				c, b := a.joinTotals(j+i, m[i], l[i])
				joinNEON(a.Acc[(j+i)*dv:][:dv], c, b, acc[i*dv:][:dv])
			}
		}
		j += n
	}
}

// floatRows returns the address of row 0 of w as float32, and the bytes from row
// to row. Rows lo to hi-1 are there, in buf if they had to be converted.
func (w *Weights) floatRows(buf []float32, lo, hi int) (unsafe.Pointer, int) {
	if w.Format == F32 {
		w.row(hi - 1) // panics if it is not there
		return unsafe.Pointer(&w.Data[0]), w.Stride
	}
	for r := lo; r < hi; r++ {
		rowNEON(w, buf[r*w.K:][:w.K], r)
	}
	return unsafe.Pointer(&buf[0]), 4 * w.K
}

// expScores turns the dot products of keys lo to hi-1 to e**(s_t-m), and returns
// m and their sum.
func expScores(score []float32, lo, hi int, scale float32) (m, sum float32) {
	from, to := lo&^15, (hi+15)&^15
	p := &score[from]
	scaleGroups(p, p, nil, (to-from)/4, scale)
	m = maximumNEON(score[lo:hi])
	for _, pad := range [][]float32{score[from:lo], score[hi:to]} {
		for i := range pad {
			pad[i] = float32(math.Inf(-1)) // adds 0 to its lane, or NaN to a sum that is NaN
		}
	}
	var lane [16]float32
	expGroups(&lane, p, p, (to-from)/16, m)
	return m, tree(&lane)
}

func joinRowsNEON(dst, c, b, x []float32, seen *[joinQueries]int32) {
	n := len(x) / len(c)
	for j := range c {
		if seen[j] != 0 {
			joinNEON(dst[j*n:][:n], c[j], b[j], x[j*n:][:n])
		}
	}
}

func joinNEON(dst []float32, c, b float32, x []float32) {
	n := len(x) &^ 3
	if n > 0 {
		joinGroups(&dst[:n][0], &x[0], n/4, c, b)
	}
	join(dst[n:], c, b, x[n:])
}

// joinGroups sets n groups of 4 of dst to fma(x, b, dst*c).
//
//go:noescape
func joinGroups(dst, x *float32, n int, c, b float32)
