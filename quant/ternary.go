package quant

import (
	"math"
	"slices"
)

// ternary fits x ~ d*q with q in -1, 0, 1. For a given number of nonzero codes
// the best are the largest values and d is their weighted mean, so the optimum is
// found by walking the values in descending order.
func ternary(q *[256]uint8, x, w []float32) (bits uint16) {
	var order [256]uint64 // magnitude (its bits are in its order) and number
	for i, v := range x {
		order[i] = uint64(math.Float32bits(abs(v)))<<8 | uint64(i)
	}
	slices.Sort(order[:])
	var sw, swx, best float64
	var d float64
	for _, o := range slices.Backward(order[:]) {
		i := uint8(o)
		sw += float64(w[i])
		swx += float64(float64(w[i]) * math.Abs(float64(x[i])))
		// The error is sum w*x*x - swx*swx/sw.
		if sw > 0 && swx*swx > best*sw {
			best, d = swx*swx/sw, swx/sw
		}
	}
	bits, f := half(float32(d))
	inv := inverse(f)
	for i, v := range x {
		q[i] = uint8(1 + code(float32(v*inv), -1, 1))
	}
	return bits
}

func quantizeTQ2_0(dst []byte, x, w []float32) {
	var q [256]uint8
	bits := ternary(&q, x, w)
	pack2(dst[:64], &q)
	le.PutUint16(dst[64:], bits)
}

func quantizeTQ1_0(dst []byte, x, w []float32) {
	var q [256]uint8
	bits := ternary(&q, x, w)
	packDigits(dst[:32], q[:160])
	packDigits(dst[32:48], q[160:240])
	packDigits(dst[48:52], q[240:])
	le.PutUint16(dst[52:], bits)
}

// packDigits writes ternary digits as fractions; see kernels.UnpackTQ1_0.
func packDigits(dst []byte, q []uint8) {
	for l := range dst {
		var v, n uint16
		for i := l; n < 5; i, n = i+len(dst), n+1 {
			v *= 3
			if i < len(q) {
				v += uint16(q[i])
			}
		}
		dst[l] = uint8((v*256 + 242) / 243)
	}
}
