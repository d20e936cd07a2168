package safetensors

import (
	"math"
	"math/bits"
)

// Dtype is the element type of a tensor, spelled as in the file.
type Dtype string

const (
	Bool       Dtype = "BOOL"
	F4         Dtype = "F4"
	F6E2M3     Dtype = "F6_E2M3"
	F6E3M2     Dtype = "F6_E3M2"
	U8         Dtype = "U8"
	I8         Dtype = "I8"
	F8E5M2     Dtype = "F8_E5M2"
	F8E4M3     Dtype = "F8_E4M3"
	F8E8M0     Dtype = "F8_E8M0"
	F8E4M3FNUZ Dtype = "F8_E4M3FNUZ"
	F8E5M2FNUZ Dtype = "F8_E5M2FNUZ"
	I16        Dtype = "I16"
	U16        Dtype = "U16"
	F16        Dtype = "F16"
	BF16       Dtype = "BF16"
	I32        Dtype = "I32"
	U32        Dtype = "U32"
	F32        Dtype = "F32"
	C64        Dtype = "C64"
	I64        Dtype = "I64"
	U64        Dtype = "U64"
	F64        Dtype = "F64"
)

// known returns the Dtype of that name, as a constant, so that a file's
// tensors share one string, and the bits of an element.
func known(name string) (d Dtype, bits uint64, ok bool) {
	for _, row := range dtypes {
		if string(row.name) == name {
			return row.name, row.bits, true
		}
	}
	return "", 0, false
}

var dtypes = [...]struct {
	name Dtype
	bits uint64
}{
	{BF16, 16}, {F32, 32}, {F16, 16}, {U8, 8}, {F8E4M3, 8}, {I64, 64}, {I32, 32},
	{Bool, 8}, {F4, 4}, {F6E2M3, 6}, {F6E3M2, 6}, {I8, 8}, {F8E5M2, 8}, {F8E8M0, 8},
	{F8E4M3FNUZ, 8}, {F8E5M2FNUZ, 8}, {I16, 16}, {U16, 16}, {U32, 32}, {C64, 64},
	{U64, 64}, {F64, 64},
}

// byteSize returns the bytes that a tensor takes, checking each product.
// Dimensions may be 0, and no dimensions are one element.
func byteSize(d Dtype, shape []int64) (int64, error) {
	_, width, ok := known(string(d))
	if !ok {
		return 0, fail(ErrType, "%s", brief(string(d)))
	}
	n := uint64(1)
	for _, dim := range shape {
		if dim < 0 {
			return 0, fail(ErrShape, "shape %d has a negative dimension", shape)
		}
		hi, lo := bits.Mul64(n, uint64(dim))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, fail(ErrShape, "shape %d overflows 63 bits of elements", shape)
		}
		n = lo
	}
	hi, size := bits.Mul64(n, width)
	if hi != 0 || size > math.MaxInt64 {
		return 0, fail(ErrShape, "shape %d of %s overflows 63 bits", shape, d)
	}
	if size%8 != 0 {
		return 0, fail(ErrShape, "shape %d of %s ends within a byte", shape, d)
	}
	return int64(size / 8), nil
}
