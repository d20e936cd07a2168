package kernels

import "math"

// AttnBlock is the number of keys that attention treats as one block. Blocks lie
// at absolute positions, so a prompt in chunks, a decode step and a batch meet
// the same blocks.
const AttnBlock = 64

// AttnRun is the number of blocks that are joined with each other before what they
// say is joined with other runs of blocks. Runs lie at absolute positions, too: a
// long context can be cut between them, and little is left to be joined.
const AttnRun = 8

// Attn is the running softmax of n queries (Milakov and Gimelshein, 2018): after
// some blocks, with scores s_t = scale * dot(q, k_t),
//
//	M = max s_t,  L = sum e**(s_t-M),  Acc = sum e**(s_t-M) v_t.
type Attn struct {
	M, L []float32 // (n)
	Acc  []float32 // (n, dv)

	// Next is where the keys lie that the next call will bring, so that they can be
	// on their way; nil if there are none.
	Next []byte

	seen [joinQueries]int32 // for Join and JoinAll; here because they escape
	c, b [1]float32
}

// Reset empties n queries with values of length dv. sink, if not nil, holds for
// each query a score without value that takes part in the softmax.
func (a *Attn) Reset(n, dv int, sink []float32) {
	if cap(a.M) < n || cap(a.Acc) < n*dv {
		a.M, a.L, a.Acc = make([]float32, n), make([]float32, n), make([]float32, n*dv)
	}
	a.M, a.L, a.Acc = a.M[:n], a.L[:n], a.Acc[:n*dv]
	a.Next = nil
	clear(a.Acc)
	for j := range n {
		a.M[j], a.L[j] = float32(math.Inf(-1)), 0
		if sink != nil {
			a.M[j], a.L[j] = sink[j], 1
		}
	}
}

// Attend joins one block of keys and values into the running softmax of the
// queries in a. Query j is q[j*ldq:][:k.K] and sees keys lo[j]..hi[j]-1 of the
// block (none if lo[j] >= hi[j]). k is (AttnBlock, dk), v is (AttnBlock, dv).
//
// The block alone first: m = max s_t, p_t = e**(s_t-m), l = sum p_t in 16 lanes
// (key t of the block in lane t mod 16), acc = fma(p_t, v_t, acc) for ascending t.
// Then the join: M' = max(M, m), c = e**(M-M'), b = e**(m-M'),
// L = fma(l, b, L*c), Acc = fma(acc, b, Acc*c).
func (a *Attn) Attend(q []float32, ldq int, k, v *Weights, lo, hi []int32, scale float32, s *Scratch) {
	n := len(a.M)
	if len(lo) != n || len(hi) != n || len(a.Acc) != n*v.K || (n > 0 && len(q) < (n-1)*ldq+k.K) {
		panic("kernels: Attend: shapes do not fit")
	}
	active.attend(a, q, ldq, k, v, lo, hi, scale, s)
}

func attend(a *Attn, q []float32, ldq int, k, v *Weights, lo, hi []int32, scale float32, s *Scratch) {
	dk, dv := k.K, v.K
	buf := s.floats(max(dk, dv) + dv + AttnBlock)
	row, acc, score := buf[:max(dk, dv)], buf[max(dk, dv):][:dv], buf[max(dk, dv)+dv:]
	for j := range a.M {
		lo, hi := int(lo[j]), int(hi[j])
		if lo >= hi {
			continue
		}
		q := q[j*ldq:][:dk]
		m := float32(math.Inf(-1))
		for t := lo; t < hi; t++ {
			k.Row(row, t)
			score[t] = float32(dot(q, row[:dk]) * scale)
			if score[t] > m {
				m = score[t]
			}
		}
		m += 0 // a zero is +0
		var lane [16]float32
		clear(acc)
		for t := lo; t < hi; t++ {
			p := Exp(score[t] - m)
			lane[t%16] += p
			v.Row(row, t)
			axpy(acc, p, row[:dv])
		}
		c, b := a.joinTotals(j, m, tree(&lane))
		join(a.Acc[j*dv:][:dv], c, b, acc)
	}
}

// Join joins what query j found in other keys, as Attend does with each block;
// l = 0 stands for none.
func (a *Attn) Join(j int, m, l float32, acc []float32) {
	if l == 0 {
		return
	}
	a.c[0], a.b[0] = a.joinTotals(j, m, l)
	a.seen[0] = 1
	active.join(a.Acc[j*len(acc):][:len(acc)], a.c[:], a.b[:], acc, &a.seen)
}

// joinQueries is how many queries JoinAll takes at a time.
const joinQueries = 64

// JoinAll joins what the same queries found in other keys. It spends b, which is to be
// Reset before its next use.
func (a *Attn) JoinAll(b *Attn) {
	if len(a.M) != len(b.M) || len(a.Acc) != len(b.Acc) {
		panic("kernels: JoinAll: shapes do not fit")
	}
	for from, n := 0, len(a.M); from < n; from += joinQueries {
		to, dv := min(from+joinQueries, n), len(a.Acc)/n
		m, l := b.M[from:to], b.L[from:to]
		for j := range l {
			a.seen[j] = 0
			if l[j] != 0 {
				a.seen[j] = 1
			}
		}
		active.totals(a.M[from:to], a.L[from:to], m, l, &a.seen)
		active.join(a.Acc[from*dv:to*dv], m, l, b.Acc[from*dv:to*dv], &a.seen)
	}
}

// totals is joinTotals for the queries that were seen; it leaves c in m and b in l.
func totals(M, L, m, l []float32, seen *[joinQueries]int32) {
	a := Attn{M: M, L: L}
	for j := range M {
		if seen[j] != 0 {
			m[j], l[j] = a.joinTotals(j, m[j], l[j])
		}
	}
}

// joinTotals joins m and l to those of query j, and returns what the sums of values
// before and in the keys joined are multiplied by.
func (a *Attn) joinTotals(j int, m, l float32) (c, b float32) {
	top := a.M[j]
	if m > top {
		top = m
	}
	c, b = Exp(a.M[j]-top), Exp(m-top)
	a.M[j], a.L[j] = top, FMA(l, b, float32(a.L[j]*c))
	return c, b
}

// joinRows is join for each row that was seen; there are as many as factors.
func joinRows(dst, c, b, x []float32, seen *[joinQueries]int32) {
	n := len(x) / len(c)
	for j := range c {
		if seen[j] != 0 {
			join(dst[j*n:][:n], c[j], b[j], x[j*n:][:n])
		}
	}
}

// join sets dst to fma(x, b, dst*c).
func join(dst []float32, c, b float32, x []float32) {
	for i, v := range x {
		dst[i] = FMA(v, b, float32(dst[i]*c))
	}
}

// Values sets dst (dv) to Acc/L of query j: the attention's output.
func (a *Attn) Values(dst []float32, j int) {
	active.div(dst, a.Acc[j*len(dst):][:len(dst)], a.L[j])
}
