package quant

import "github.com/coterie-go/coterie/kernels"

var (
	levelsNL = newLevels(kernels.NL4[:])
	startsNL = []float32{1.02, -0.9, 1.1, 0.86, 0.98, -0.98}
	codeNL   = invert(&kernels.NL4)
)

func quantizeIQ4NL(dst []byte, x, w []float32) {
	var q [32]int8
	le.PutUint16(dst, levelsNL.block(q[:], x, w, startsNL))
	packNL(dst[2:18], q[:])
}

// invert returns the number of each level, by its value as a byte.
func invert(level *[16]int8) *[256]uint8 {
	code := new([256]uint8)
	for i := len(level) - 1; i >= 0; i-- { // of equal levels the first
		code[uint8(level[i])] = uint8(i)
	}
	return code
}

func packNL(dst []byte, q []int8) {
	for l := range dst {
		dst[l] = codeNL[uint8(q[l])] | codeNL[uint8(q[l+16])]<<4
	}
}
