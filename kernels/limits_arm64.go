//go:build !purego

package kernels

import "unsafe"

// limitChains is the number of vectors that a step multiplies: enough for four
// pipes of four cycles.
const limitChains = 16

func limitFloatNEON(n int) int {
	n = max(n/(4*limitChains), 1)
	limitFMLA(n)
	return n * 4 * limitChains
}

func limitInt8NEON(n int) int {
	n = max(n/(16*limitChains), 1)
	limitSDOT(n)
	return n * 16 * limitChains
}

func limitInt8I8MM(n int) int {
	n = max(n/(32*limitChains), 1)
	limitSMMLA(n)
	return n * 32 * limitChains
}

func limitReadNEON(p []byte) {
	if n := len(p) / 256; n > 0 {
		limitLoad(unsafe.SliceData(p), n)
	}
}

// limitFMLA takes n steps of limitChains FMLA; those below do the same for other
// instructions.
//
//go:noescape
func limitFMLA(n int)

//go:noescape
func limitSDOT(n int)

//go:noescape
func limitSMMLA(n int)

// limitLoad reads n times 256 bytes.
//
//go:noescape
func limitLoad(p *byte, n int)
