package quant

import "math"

// quantizeMXFP4 tries the powers of two around the one that keeps the extreme
// value in range: clipping it is often worth the finer steps of the others.
func quantizeMXFP4(dst []byte, x, w []float32) {
	var q [32]int8
	dst[0] = 0
	if ext := abs(extreme(x)); ext >= tiny {
		// Codes are doubled: 12 is the largest, d half the scale.
		m, top := math.Frexp(float64(ext) / 12)
		if m == 0.5 {
			top--
		}
		best, d := float32(math.Inf(1)), float32(0)
		for e := top - 2; e <= top; e++ {
			s := float32(math.Ldexp(1, e))
			if err := levelsFP4.err(x, w, s); err < best {
				best, d = err, s
				dst[0] = uint8(e + 128)
			}
		}
		levelsFP4.quantize(q[:], x, 1/d)
	}
	for l := range 16 {
		dst[1+l] = codeFP4[uint8(q[l])] | codeFP4[uint8(q[l+16])]<<4
	}
}
