package kernels

import (
	"encoding/binary"
	"math"
)

// tree adds 16 lanes in the contract's order.
func tree(a *[16]float32) float32 {
	for n := 8; n > 0; n /= 2 {
		for l := range n {
			a[l] += a[l+n]
		}
	}
	return a[0]
}

// Dot returns the contract's dot product of two vectors of equal length.
func Dot(a, b []float32) float32 {
	if len(a) != len(b) {
		panic("kernels: Dot: lengths differ")
	}
	return active.dot(a, b)
}

// dot: lane[l] = fma(a[16i+l], b[16i+l], lane[l]); tree.
func dot(a, b []float32) float32 {
	var lane [16]float32
	i := 0
	for ; i+16 <= len(a); i += 16 {
		a, b := a[i:i+16:i+16], b[i:i+16:i+16]
		for l := range lane {
			lane[l] = FMA(a[l], b[l], lane[l])
		}
	}
	if i < len(a) {
		for l := range lane {
			if i+l < len(a) {
				lane[l] = FMA(a[i+l], b[i+l], lane[l])
			} else {
				lane[l] = FMA(0, 0, lane[l])
			}
		}
	}
	return tree(&lane)
}

// load16 converts a group of up to 16 values at src to float32, exactly.
func loadF32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func loadF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = F16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func loadBF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = BF16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func storeF32(dst []byte, src []float32) {
	for i, v := range src {
		binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
	}
}

func storeF16(dst []byte, src []float32) {
	for i, v := range src {
		binary.LittleEndian.PutUint16(dst[2*i:], F32ToF16(v))
	}
}

// loadF8 converts and applies the scales of one row: scale[c/128] for column c.
func loadF8(dst []float32, src []byte, scale []float32) {
	for i := range dst {
		dst[i] = F8E4M3ToF32(src[i]) * scale[i/128]
	}
}
