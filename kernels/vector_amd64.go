//go:build !purego

package kernels

import "unsafe"

// vectors holds an instruction set's assembly for vectors of any length; its
// methods are the table's entries.
type vectors struct {
	dot         func(a, b *float32, n int) float32
	axpy        func(dst *float32, a float32, x *float32, n int)
	add         func(dst, x *float32, n int)
	scale       func(dst, x *float32, r float32, n int)
	scaleMul    func(dst, x, w *float32, r float32, n int)
	div         func(dst, x *float32, d float32, n int)
	max         func(x *float32, n int) float32
	expSum      func(dst, x *float32, m float32, n int) float32
	swiGLU      func(dst, gate, up *float32, n int)
	swiGLUClamp func(dst, gate, up *float32, alpha, limit float32, n int)
	quantize    func(q *int8, d *float32, sums *int16, x *float32, blocks, block int)
	rotateHalf  func(x, cos, sin *float32, n int)
}

var vectorsAVX2 = vectors{
	dot: dotVecAVX2, axpy: axpyVecAVX2, add: addVecAVX2, scale: scaleVecAVX2, scaleMul: scaleMulVecAVX2,
	div: divVecAVX2, max: maxVecAVX2, expSum: expSumVecAVX2, swiGLU: swiGLUVecAVX2,
	swiGLUClamp: swiGLUClampedVecAVX2, quantize: quantizeVecAVX2, rotateHalf: rotateHalfVecAVX2,
}

var vectorsAVX512 = vectors{
	dot: dotVecAVX512, axpy: axpyVecAVX512, add: addVecAVX512, scale: scaleVecAVX512, scaleMul: scaleMulVecAVX512,
	div: divVecAVX512, max: maxVecAVX512, expSum: expSumVecAVX512, swiGLU: swiGLUVecAVX512,
	swiGLUClamp: swiGLUClampedVecAVX512, quantize: quantizeVecAVX512, rotateHalf: rotateHalfVecAVX512,
}

// fill puts the vectors' entries into a table.
func (v *vectors) fill(t *table) {
	t.dot = v.dotOf
	t.axpy = v.axpyOf
	t.add = v.addOf
	t.div = v.divOf
	t.rmsNorm = v.rmsNorm
	t.softmax = v.softmax
	t.swiGLU = v.swiGLUOf
	t.swiGLUClamped = v.swiGLUClamped
	t.quantize = v.quantizeOf
	t.rotateHalf = v.rotateHalfOf
	t.rotatePairs = rotatePairsAVX2
}

func (v *vectors) dotOf(a, b []float32) float32 {
	return v.dot(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
}

func (v *vectors) axpyOf(dst []float32, a float32, x []float32) {
	v.axpy(unsafe.SliceData(dst), a, unsafe.SliceData(x), len(dst))
}

func (v *vectors) addOf(dst, x []float32) {
	v.add(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
}

func (v *vectors) divOf(dst, x []float32, d float32) {
	v.div(unsafe.SliceData(dst), unsafe.SliceData(x), d, len(dst))
}

func (v *vectors) rmsNorm(dst, x, w []float32, eps float32) {
	r := 1 / sqrt(v.dotOf(x, x)/float32(len(x))+eps)
	if w == nil {
		v.scale(unsafe.SliceData(dst), unsafe.SliceData(x), r, len(x))
		return
	}
	v.scaleMul(unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(w), r, len(x))
}

func (v *vectors) softmax(dst, x []float32) {
	d := unsafe.SliceData(dst)
	m := v.max(unsafe.SliceData(x), len(x))
	sum := v.expSum(d, unsafe.SliceData(x), m, len(x))
	v.div(d, d, sum, len(x))
}

func (v *vectors) swiGLUOf(dst, gate, up []float32) {
	v.swiGLU(unsafe.SliceData(dst), unsafe.SliceData(gate), unsafe.SliceData(up), len(dst))
}

func (v *vectors) swiGLUClamped(dst, gate, up []float32, alpha, limit float32) {
	v.swiGLUClamp(unsafe.SliceData(dst), unsafe.SliceData(gate), unsafe.SliceData(up), alpha, limit, len(dst))
}

func (v *vectors) quantizeOf(q []int8, d []float32, sums []int16, x []float32, block int) {
	if len(d) > 0 {
		v.quantize(unsafe.SliceData(q), unsafe.SliceData(d), unsafe.SliceData(sums), unsafe.SliceData(x), len(d), block)
	}
}

func (v *vectors) rotateHalfOf(x, cos, sin []float32) {
	v.rotateHalf(unsafe.SliceData(x), unsafe.SliceData(cos), unsafe.SliceData(sin), len(cos))
}

func rotatePairsAVX2(x, cos, sin []float32) {
	n := len(cos) &^ 3
	if n > 0 {
		rotatePairsVecAVX2(unsafe.SliceData(x), unsafe.SliceData(cos), unsafe.SliceData(sin), n)
	}
	rotatePairs(x[2*n:], cos[n:], sin[n:])
}
