//go:build !purego

package kernels

import "github.com/klauspost/cpuid/v2"

// neon needs the dot-product instructions (SDOT), which Arm's cores have since
// 2018; the kernels for floats are built on ASIMD alone.
// A kernel that is not named here is the portable one.
var neon = portable.with(func(t *table) {
	t.name = "neon"
	t.dot = dotNEON
	t.axpy = axpyNEON
	t.add = addNEON
	t.rmsNorm = rmsNormNEON
	t.softmax = softmaxNEON
	t.swiGLU = swiGLUNEON
	t.swiGLUClamped = swiGLUClampedNEON
	t.quantize = quantizeNEON
	t.rotateHalf = rotateHalfNEON
	t.rotatePairs = rotatePairsNEON
	t.mulFloat = mulFloatNEON
	t.deltaNet = deltaNetNEON
	t.mulT = mulTNEON
	t.mulQ8 = mulQ8NEON
	t.attend = attendNEON
	t.join = joinRowsNEON
	t.limitFloat = limitFloatNEON
	t.limitInt8 = limitInt8NEON
	t.limitRead = limitReadNEON
})

// i8mm is neon with the integer matrix product (SMMLA) where columns are many.
var i8mm = neon.with(func(t *table) {
	t.name = "i8mm"
	t.mulQ8 = mulQ8I8MM
	t.limitInt8 = limitInt8I8MM
})

// with returns a copy of t that change has changed.
func (t table) with(change func(*table)) table {
	change(&t)
	return t
}

// available returns the tables of this CPU, the best last.
func available() []*table {
	tables := []*table{&portable}
	if cpuid.CPU.Supports(cpuid.ASIMD, cpuid.ASIMDDP) {
		tables = append(tables, &neon)
		if cpuid.CPU.Supports(cpuid.I8MM) {
			tables = append(tables, &i8mm)
		}
	}
	return tables
}
