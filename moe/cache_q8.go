package moe

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/coterie-go/coterie/kernels"
)

// The cache in q8_0: blocks of 32 values, a scale in f16 and 32 codes in 8 bits.
// Attention expands rows to float32, which is exact: the results are those of the
// values stored. Rows that are partly in f16 are expanded here, others by the kernels.

// storeQ8 rounds x to blocks: d = max|x|/127 as f16, each code is the nearest
// whole number to x/d, ties to even.
func storeQ8(dst []byte, x []float32) {
	for ; len(x) > 0; x, dst = x[32:], dst[34:] {
		most := float32(0)
		for _, v := range x[:32] {
			if a := float32(math.Abs(float64(v))); a > most || a != a { // a NaN stays
				most = a
			}
		}
		bits := kernels.F32ToF16(most / 127)
		binary.LittleEndian.PutUint16(dst, bits)
		inv := float32(0)
		if d := kernels.F16ToF32(bits); d > 0 {
			inv = 1 / d
		}
		codes := dst[2:34]
		for i, v := range x[:32] {
			q := math.RoundToEven(float64(float32(v * inv)))
			codes[i] = byte(int8(min(max(q, -127), 127)))
		}
	}
}

// expand sets rows lo..hi-1 of dst to the values of those rows of src.
func (r *rowLayout) expand(dst []float32, src []byte, lo, hi int) {
	n := r.parts[0].n + r.parts[1].n
	for i := lo; i < hi; i++ {
		row, out := src[i*r.bytes:][:r.bytes], dst[i*n:][:n]
		for _, p := range r.parts {
			w := kernels.Weights{Format: p.format, Rows: 1, K: p.n, Data: row, Stride: len(row)}
			if p.n > 0 {
				w.Row(out[:p.n], 0)
			}
			row, out = row[p.bytes():], out[p.n:]
		}
	}
}

// f32Rows views x as rows of k values.
func f32Rows(x []float32, k int) kernels.Weights {
	// The kernels read float32 in the machine's own order, which is that of files.
	data := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
	return kernels.Weights{Format: kernels.F32, Rows: len(x) / k, K: k, Data: data, Stride: 4 * k}
}
