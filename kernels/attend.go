package kernels

import "math"

// AttnBlock is the number of keys that attention treats as one block. Blocks lie
// at absolute positions, so a prompt in chunks, a decode step and a batch meet
// the same blocks.
const AttnBlock = 64

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
		a.join(j, m, tree(&lane), acc)
	}
}

// Join joins what query j found in other keys, as Attend does with each block;
// l = 0 stands for none.
func (a *Attn) Join(j int, m, l float32, acc []float32) {
	if l == 0 {
		return
	}
	top := a.M[j]
	if m > top {
		top = m
	}
	c, b := Exp(a.M[j]-top), Exp(m-top)
	a.M[j], a.L[j] = top, FMA(l, b, float32(a.L[j]*c))
	dst := a.Acc[j*len(acc):][:len(acc)]
	if c != 1 {
		for i, v := range dst {
			dst[i] = v * c
		}
	}
	active.axpy(dst, b, acc)
}

func (a *Attn) join(j int, m, l float32, acc []float32) {
	top := a.M[j]
	if m > top {
		top = m
	}
	c, b := Exp(a.M[j]-top), Exp(m-top)
	a.M[j], a.L[j] = top, FMA(l, b, float32(a.L[j]*c))
	dst := a.Acc[j*len(acc):][:len(acc)]
	for i, v := range acc {
		dst[i] = FMA(v, b, float32(dst[i]*c))
	}
}

// Values sets dst (dv) to Acc/L of query j: the attention's output.
func (a *Attn) Values(dst []float32, j int) {
	active.div(dst, a.Acc[j*len(dst):][:len(dst)], a.L[j])
}
