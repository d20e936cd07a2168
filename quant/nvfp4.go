package quant

import (
	"math"

	"github.com/coterie-go/coterie/kernels"
)

// quantizeNVFP4 tries, for each 16 values, the e4m3 scales around the one that
// keeps the extreme value in range. Scales end at 2^-9 below, where they are
// coarse: small weights want a scale for the whole tensor besides, which is not
// part of the blocks.
func quantizeNVFP4(dst []byte, x, w []float32) {
	for s := range 4 {
		x, w := x[16*s:][:16], w[16*s:][:16]
		var q [16]int8
		dst[s] = 0
		if ext := abs(extreme(x)); ext >= tiny {
			top := e4m3Above(ext / 6)
			best, d := float32(0), float32(0)
			for c := max(top-6, 1); c <= min(top+1, 0x7e); c++ {
				scale := 0.5 * kernels.F8E4M3ToF32(byte(c))
				if err := levelsFP4.err(x, w, scale); err < best {
					best, d = err, scale
					dst[s] = byte(c)
				}
			}
			levelsFP4.quantize(q[:], x, inverse(d))
		}
		out := dst[4+8*s:][:8]
		for l := range out {
			out[l] = codeFP4[uint8(q[l])] | codeFP4[uint8(q[l+8])]<<4
		}
	}
}

// e4m3Above returns the code of the least e4m3 number that is not under x.
func e4m3Above(x float32) int {
	if x <= 0x1p-9 {
		return 1
	}
	m, e := math.Frexp(float64(x)) // x = m*2^e, m in [1/2, 1)
	if e < -5 {
		return int(math.Ceil(float64(x) * 0x1p9)) // subnormal: multiples of 2^-9
	}
	return min((e+6)<<3+int(math.Ceil(m*16))-8, 0x7e)
}
