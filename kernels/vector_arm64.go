//go:build !purego

package kernels

import "unsafe"

// Assembly works on whole groups; what is left over is the portable twin's.

func dotNEON(a, b []float32) float32 {
	var tail [32]float32
	n := len(a) / 16
	pad := (*float32)(nil)
	if r := 16 * n; r < len(a) {
		copy(tail[:16], a[r:])
		copy(tail[16:], b[r:])
		pad = &tail[0]
	}
	return dotGroups(unsafe.SliceData(a), unsafe.SliceData(b), n, pad)
}

func axpyNEON(dst []float32, a float32, x []float32) {
	n := len(x) &^ 3
	axpyGroups(unsafe.SliceData(dst), unsafe.SliceData(x), n/4, a)
	axpy(dst[n:len(x)], a, x[n:])
}

func addNEON(dst, x []float32) {
	n := len(x) &^ 3
	addGroups(unsafe.SliceData(dst), unsafe.SliceData(x), n/4)
	add(dst[n:len(x)], x[n:])
}

func rmsNormNEON(dst, x, w []float32, eps float32) {
	r := 1 / sqrt(dotNEON(x, x)/float32(len(x))+eps)
	n := len(x) &^ 3
	if w == nil {
		scaleGroups(unsafe.SliceData(dst), unsafe.SliceData(x), nil, n/4, r)
		for i := n; i < len(x); i++ {
			dst[i] = float32(x[i] * r)
		}
		return
	}
	scaleGroups(unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(w), n/4, r)
	for i := n; i < len(x); i++ {
		dst[i] = w[i] * float32(x[i]*r)
	}
}

func rotateHalfNEON(x, cos, sin []float32) {
	n, m := len(cos), len(cos)&^3
	rotateHalfGroups(unsafe.SliceData(x), unsafe.SliceData(x[n:]), unsafe.SliceData(cos), unsafe.SliceData(sin), m/4)
	for i := m; i < n; i++ {
		a, b, c, s := x[i], x[i+n], cos[i], sin[i]
		x[i] = float32(a*c) - float32(b*s)
		x[i+n] = float32(b*c) + float32(a*s)
	}
}

func rotatePairsNEON(x, cos, sin []float32) {
	m := len(cos) &^ 3
	rotatePairsGroups(unsafe.SliceData(x), unsafe.SliceData(cos), unsafe.SliceData(sin), m/4)
	rotatePairs(x[2*m:], cos[m:], sin[m:])
}

// dotGroups adds n groups of 16 and, if tail is not nil, one more: 16 values of a
// and 16 of b.
//
//go:noescape
func dotGroups(a, b *float32, n int, tail *float32) float32

// axpyGroups: n groups of 4.
//
//go:noescape
func axpyGroups(dst, x *float32, n int, a float32)

// addGroups: n groups of 4.
//
//go:noescape
func addGroups(dst, x *float32, n int)

// scaleGroups sets n groups of 4 of dst to w*(x*r), to x*r if w is nil.
//
//go:noescape
func scaleGroups(dst, x, w *float32, n int, r float32)

// rotateHalfGroups turns n groups of 4 pairs (x[i], y[i]).
//
//go:noescape
func rotateHalfGroups(x, y, cos, sin *float32, n int)

// rotatePairsGroups turns n groups of 4 pairs (x[2i], x[2i+1]).
//
//go:noescape
func rotatePairsGroups(x, cos, sin *float32, n int)
