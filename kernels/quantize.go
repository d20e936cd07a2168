package kernels

import "math"

// NewQ8 returns room for n rows of k activations in blocks of block values.
func NewQ8(block, n, k int) *Q8 {
	return &Q8{Block: block, Q: make([]int8, n*k), D: make([]float32, n*(k/block)), Sums: make([]int16, n*(k/16))}
}

// Quantize sets row r of q to x: per block d = max|x|/127, Q = x*(127/max|x|)
// rounded to nearest even (0 in a block of zeros, and for NaN), Sums the sums of 16.
// d is NaN if a value is, so that products do not hide it.
func (q *Q8) Quantize(r int, x []float32) {
	k := len(x)
	if k%q.Block != 0 {
		panic("kernels: Quantize: row is no multiple of the block length")
	}
	q.set(r*k, x)
}

// QuantizeRange sets values lo..lo+len(x)-1 of row r, of k values in all. lo and
// len(x) are multiples of the block length.
func (q *Q8) QuantizeRange(r, k, lo int, x []float32) {
	if lo%q.Block != 0 || len(x)%q.Block != 0 || lo+len(x) > k {
		panic("kernels: QuantizeRange: not at a block's edge")
	}
	q.set(r*k+lo, x)
}

// set quantises x to the blocks from value i on.
func (q *Q8) set(i int, x []float32) {
	n := len(x)
	d := q.D[i/q.Block:][:n/q.Block]
	active.quantize(q.Q[i:][:n], d, q.Sums[i/16:][:n/16], x, q.Block)
	if s := Dot(x, x); s == s {
		return
	}
	for b := range d {
		if s := Dot(x[b*q.Block:][:q.Block], x[b*q.Block:][:q.Block]); s != s {
			d[b] = s
		}
	}
}

// row returns row r of q, of k values.
func (q *Q8) row(r, k int) Q8 {
	return Q8{q.Block, q.Q[r*k:][:k], q.D[r*(k/q.Block):][:k/q.Block], q.Sums[r*(k/16):][:k/16]}
}

func quantize(q []int8, d []float32, sums []int16, x []float32, block int) {
	for b := range d {
		x := x[b*block : (b+1)*block]
		q := q[b*block : (b+1)*block]
		var amax float32
		for _, v := range x {
			if v < 0 {
				v = -v
			}
			if v > amax {
				amax = v
			}
		}
		d[b] = amax / 127
		inv := 127 / amax
		if amax == 0 || inv > math.MaxFloat32 { // zeros, or too small to invert
			d[b], inv = 0, 0
		}
		for i, v := range x {
			if v *= inv; v != v { // NaN, or Inf in a block whose scale is Inf
				v = 0
			}
			q[i] = int8(math.RoundToEven(float64(v)))
		}
	}
	for s := range sums {
		var t int16
		for _, v := range q[16*s : 16*s+16] {
			t += int16(v)
		}
		sums[s] = t
	}
}
