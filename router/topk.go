package router

import "math"

var negInf = float32(math.Inf(-1))

// best keeps the k greatest of the scores offered, in descending order; equal scores keep the order in which they
// were offered, which is that of their index. NaN counts as minus infinity.
type best struct {
	ids []int32   // k
	top []float32 // k: the scores of ids
	n   int       // how many are kept so far
}

// offer puts forward c, the scores of the experts from id first on.
func (b *best) offer(c []float32, first int) {
	i := 0
	for ; b.n < len(b.ids) && i < len(c); i++ {
		v := c[i]
		if v != v {
			v = negInf
		}
		b.n++
		b.insert(v, first+i)
	}
	if i == len(c) {
		return
	}
	low := b.top[len(b.top)-1]
	for ; i < len(c); i++ {
		if v := c[i]; v > low { // never true of NaN
			b.insert(v, first+i)
			low = b.top[len(b.top)-1]
		}
	}
}

// offerZeros puts forward n experts from id first on, with score 0.
func (b *best) offerZeros(n, first int) {
	for i := range n {
		if b.n < len(b.ids) {
			b.n++
		} else if !(0 > b.top[len(b.top)-1]) {
			return
		}
		b.insert(0, first+i)
	}
}

// insert puts v in its place among the first n, of which the last is free or to be forgotten.
func (b *best) insert(v float32, id int) {
	j := b.n - 1
	for ; j > 0 && v > b.top[j-1]; j-- {
		b.top[j], b.ids[j] = b.top[j-1], b.ids[j-1]
	}
	b.top[j], b.ids[j] = v, int32(id)
}
