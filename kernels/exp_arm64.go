//go:build !purego

package kernels

import (
	"math"
	"unsafe"
)

// expConst are the constants of [Exp] in the order in which assembly loads them.
var expConst = [...]float32{
	log2e, ln2Hi, ln2Lo,
	1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
	1, expMax, expMin,
}

func softmaxNEON(dst, x []float32) {
	sum := expSumNEON(dst, x, maximumNEON(x))
	n := len(x) &^ 3
	divGroups(unsafe.SliceData(dst), n/4, sum)
	for i := n; i < len(x); i++ {
		dst[i] /= sum
	}
}

// maximumNEON walks 16 lanes, so of several greatest zeros it may return one of
// the other sign: then the twin decides.
func maximumNEON(x []float32) float32 {
	n := len(x) &^ 15
	m := maxGroups(unsafe.SliceData(x), n/16)
	for _, v := range x[n:] {
		if v > m {
			m = v
		}
	}
	if m == 0 {
		return maximum(x)
	}
	return m
}

func expSumNEON(dst, x []float32, m float32) float32 {
	var lane [16]float32
	n := len(x) &^ 15
	expGroups(&lane, unsafe.SliceData(dst), unsafe.SliceData(x), n/16, m)
	if n < len(x) {
		var tail, e [16]float32
		for i := range tail {
			tail[i] = float32(math.Inf(-1)) // adds 0 to its lane, or NaN to a sum that is NaN
		}
		copy(tail[:], x[n:])
		expGroups(&lane, &e[0], &tail[0], 1, m)
		copy(dst[n:len(x)], e[:])
	}
	return tree(&lane)
}

func swiGLUNEON(dst, gate, up []float32) {
	n := len(gate) &^ 3
	swiGLUGroups(unsafe.SliceData(dst), unsafe.SliceData(gate), unsafe.SliceData(up), n/4)
	if n < len(gate) {
		swiGLU(dst[n:], gate[n:], up[n:])
	}
}

func swiGLUClampedNEON(dst, gate, up []float32, alpha, limit float32) {
	n := len(gate) &^ 3
	swiGLUClampedGroups(unsafe.SliceData(dst), unsafe.SliceData(gate), unsafe.SliceData(up), n/4, alpha, limit)
	if n < len(gate) {
		swiGLUClamped(dst[n:], gate[n:], up[n:], alpha, limit)
	}
}

// maxGroups returns the greatest of n groups of 16, ignoring NaN; -Inf if there
// is none.
//
//go:noescape
func maxGroups(x *float32, n int) float32

// expGroups sets n groups of 16 of dst to e**(x-m) and adds them to lane.
//
//go:noescape
func expGroups(lane *[16]float32, dst, x *float32, n int, m float32)

// divGroups divides n groups of 4 by a.
//
//go:noescape
func divGroups(dst *float32, n int, a float32)

// swiGLUGroups: n groups of 4.
//
//go:noescape
func swiGLUGroups(dst, gate, up *float32, n int)

// swiGLUClampedGroups: n groups of 4.
//
//go:noescape
func swiGLUClampedGroups(dst, gate, up *float32, n int, alpha, limit float32)
