package moe

import (
	"math"
	"math/bits"
	"slices"
)

// picker finds the greatest of many values.
type picker struct{ list []ranked }

type ranked struct {
	key   uint32 // grows with the value
	index int32
}

// pick sets dst to the indices of the len(dst) greatest values of x, ascending;
// 0 < len(dst) <= len(x). Which of several equal values are taken is left to the
// course of a quickselect, by medians of three, over x padded with least values to
// a multiple of pad. Equal values are common, for a key that fits no head scores
// exactly 0; this course is the one that the reference implementation takes, in
// rows that it pads by the keys behind a token, and depends on nothing but x.
func (p *picker) pick(dst []int32, x []float32, pad int) {
	n := (len(x) + pad - 1) / pad * pad
	if cap(p.list) < n {
		p.list = make([]ranked, n, 2*n)
	}
	l := p.list[:n]
	for i := range l {
		l[i] = ranked{0, int32(i)}
		if i < len(x) {
			l[i].key = ordered(x[i])
		}
	}
	selectFirst(l, len(dst)-1)
	for i := range dst {
		dst[i] = l[i].index
	}
	slices.Sort(dst)
}

// ordered maps x to a number over 0 that grows with it; NaN is least, zeros are
// equal.
func ordered(x float32) uint32 {
	if x != x {
		return 1
	}
	u := math.Float32bits(x + 0)
	if u>>31 != 0 {
		return ^u
	}
	return u | 1<<31
}

// selectFirst reorders l so that no value behind nth is greater than one up to it
// (Hoare's selection). Should the pivots turn out bad, the rest is sorted.
func selectFirst(l []ranked, nth int) {
	lo, hi := 0, len(l)
	for depth := 2 * bits.Len(uint(len(l))); hi-lo > 3; depth-- {
		if depth == 0 {
			break
		}
		medianFirst(l, lo, lo+1, lo+(hi-lo)/2, hi-1)
		i, j := lo+1, hi
		for { // the pivot at lo stops the one, the median of three the other
			for l[i].key > l[lo].key {
				i++
			}
			for j--; l[lo].key > l[j].key; j-- {
			}
			if i >= j {
				break
			}
			l[i], l[j] = l[j], l[i]
			i++
		}
		if i <= nth {
			lo = i
		} else {
			hi = i
		}
	}
	slices.SortStableFunc(l[lo:hi], func(a, b ranked) int {
		switch {
		case a.key > b.key:
			return -1
		case a.key < b.key:
			return 1
		}
		return 0
	})
}

// medianFirst swaps the median of l[a], l[b] and l[c] with l[to].
func medianFirst(l []ranked, to, a, b, c int) {
	above := func(i, j int) bool { return l[i].key > l[j].key }
	m := a
	switch {
	case above(a, b) && above(b, c), !above(a, b) && !above(a, c) && !above(b, c):
		m = b
	case above(a, b) && above(a, c), !above(a, b) && !above(a, c):
		m = c
	}
	l[to], l[m] = l[m], l[to]
}
