//go:build !purego

package kernels

import "unsafe"

// Vectors that a step of the assembly multiplies: its chains.
const limitChains = 12

// limitStepsOf counts the multiply-adds of steps on vectors of width values.
func limitStepsOf(step func(n int), width int) func(int) int {
	return func(n int) int {
		n = max(n/(limitChains*width), 1)
		step(n)
		return n * limitChains * width
	}
}

func limitReadOf(read func(p *byte, n int)) func([]byte) {
	return func(p []byte) {
		if n := len(p) &^ 511; n > 0 {
			read(unsafe.SliceData(p), n)
		}
	}
}
