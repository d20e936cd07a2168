package quant

import (
	"encoding/binary"

	"github.com/coterie-go/coterie/kernels"
)

// F16ToF32 returns the value of an IEEE 754 half, exactly.
func F16ToF32(h uint16) float32 { return kernels.F16ToF32(h) }

// F32ToF16 rounds to the nearest half, ties to even.
func F32ToF16(x float32) uint16 { return kernels.F32ToF16(x) }

// BF16ToF32 returns the value of a bfloat16, exactly.
func BF16ToF32(h uint16) float32 { return kernels.BF16ToF32(h) }

// F32ToBF16 rounds to the nearest bfloat16, ties to even.
func F32ToBF16(x float32) uint16 { return kernels.F32ToBF16(x) }

// F8E4M3ToF32 returns the value of an 8-bit float (OCP E4M3: no infinities, 0x7f and 0xff NaN).
func F8E4M3ToF32(b byte) float32 { return kernels.F8E4M3ToF32(b) }

var le = binary.LittleEndian

// half rounds x to float16 and returns the bits and their value.
func half(x float32) (uint16, float32) {
	h := kernels.F32ToF16(x)
	return h, kernels.F16ToF32(h)
}
