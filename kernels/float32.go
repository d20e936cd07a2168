package kernels

import (
	"encoding/binary"
	"unsafe"
)

// FromFloat32 returns the view of a caller's float32 matrix (rows, k) as weights.
// The values are not copied on little-endian machines and must stay as they are.
func FromFloat32(x []float32, rows, k int) Weights {
	if len(x) != rows*k {
		panic("kernels: FromFloat32: shapes do not fit")
	}
	var data []byte
	if len(x) > 0 && binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		// float32 in memory is what the format says: four bytes, lowest first.
		data = unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x))
	} else {
		data = make([]byte, 4*len(x))
		storeF32(data, x)
	}
	return Weights{Format: F32, Rows: rows, K: k, Data: data, Stride: 4 * k}
}
