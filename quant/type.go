package quant

import (
	"fmt"
	"strings"

	"github.com/coterie-go/coterie/kernels"
)

// Type is a type of tensor elements, numbered as in GGUF files.
type Type uint32

const (
	F32     Type = 0
	F16     Type = 1
	Q4_0    Type = 2
	Q4_1    Type = 3
	Q5_0    Type = 6
	Q5_1    Type = 7
	Q8_0    Type = 8
	Q2_K    Type = 10
	Q3_K    Type = 11
	Q4_K    Type = 12
	Q5_K    Type = 13
	Q6_K    Type = 14
	IQ2_XXS Type = 16
	IQ2_XS  Type = 17
	IQ3_XXS Type = 18
	IQ1_S   Type = 19
	IQ4_NL  Type = 20
	IQ3_S   Type = 21
	IQ2_S   Type = 22
	IQ4_XS  Type = 23
	I8      Type = 24
	I16     Type = 25
	I32     Type = 26
	I64     Type = 27
	F64     Type = 28
	IQ1_M   Type = 29
	BF16    Type = 30
	TQ1_0   Type = 34
	TQ2_0   Type = 35
	MXFP4   Type = 39
	NVFP4   Type = 40

	// Types of hub checkpoints that GGUF has no number for. Their scales are
	// tensors of their own.
	F8E4M3   Type = 1<<16 + 0 // a byte a value; float32 scales for tiles of 128x128
	MXFP4Hub Type = 1<<16 + 1 // 16 bytes for 32 values; an e8m0 scale for 32
)

// Form says what a type's blocks unpack into.
type Form uint8

const (
	Index    Form = iota // I8..I64, F64: not weights
	Float                // F32, F16, BF16, F8E4M3: one value at a time
	Small32              // kernels.Small, 32 weights
	Super256             // kernels.Super, 256 weights
)

// format is one row of the table of types.
type format struct {
	name         string
	block, bytes int // values and bytes of one block
	form         Form
	min          bool // minima or offsets beside the scales
	per16        bool // a scale for 16 values, not 32

	float  func(dst []float32, src []byte)
	small  func(*kernels.Small, []byte)
	double func(*[2]kernels.Small, []byte) // blocks of 64
	super  func(*kernels.Super, []byte)

	halves   []int                            // offsets of the block's float16 scales
	badScale func(block []byte) bool          // for scales of other kinds
	quantize func(dst []byte, x, w []float32) // one block; nil: decoded only
}

// formats is the table. A new format is a file in kernels (layout, unpacker), one
// here (quantiser) and a line.
var formats = map[Type]*format{
	F32:  {name: "F32", block: 1, bytes: 4, form: Float, float: loadF32},
	F16:  {name: "F16", block: 1, bytes: 2, form: Float, float: loadF16},
	BF16: {name: "BF16", block: 1, bytes: 2, form: Float, float: loadBF16},
	F64:  {name: "F64", block: 1, bytes: 8},
	I8:   {name: "I8", block: 1, bytes: 1},
	I16:  {name: "I16", block: 1, bytes: 2},
	I32:  {name: "I32", block: 1, bytes: 4},
	I64:  {name: "I64", block: 1, bytes: 8},

	Q4_0:   {name: "Q4_0", block: 32, bytes: 18, form: Small32, small: kernels.UnpackQ4_0, halves: []int{0}, quantize: quantizeQ4_0},
	Q4_1:   {name: "Q4_1", block: 32, bytes: 20, form: Small32, small: kernels.UnpackQ4_1, halves: []int{0, 2}, min: true, quantize: quantizeQ4_1},
	Q5_0:   {name: "Q5_0", block: 32, bytes: 22, form: Small32, small: kernels.UnpackQ5_0, halves: []int{0}, quantize: quantizeQ5_0},
	Q5_1:   {name: "Q5_1", block: 32, bytes: 24, form: Small32, small: kernels.UnpackQ5_1, halves: []int{0, 2}, min: true, quantize: quantizeQ5_1},
	Q8_0:   {name: "Q8_0", block: 32, bytes: 34, form: Small32, small: kernels.UnpackQ8_0, halves: []int{0}, quantize: quantizeQ8_0},
	IQ4_NL: {name: "IQ4_NL", block: 32, bytes: 18, form: Small32, small: kernels.UnpackIQ4NL, halves: []int{0}, quantize: quantizeIQ4NL},
	MXFP4:  {name: "MXFP4", block: 32, bytes: 17, form: Small32, small: kernels.UnpackMXFP4, badScale: badMXFP4, quantize: quantizeMXFP4},
	NVFP4:  {name: "NVFP4", block: 64, bytes: 36, form: Small32, double: kernels.UnpackNVFP4, badScale: badNVFP4, per16: true, quantize: quantizeNVFP4},

	Q2_K: {name: "Q2_K", block: 256, bytes: 84, form: Super256, super: kernels.UnpackQ2K, halves: []int{80, 82}, min: true, per16: true, quantize: quantizeQ2K},
	Q3_K: {name: "Q3_K", block: 256, bytes: 110, form: Super256, super: kernels.UnpackQ3K, halves: []int{108}, per16: true, quantize: quantizeQ3K},
	Q4_K: {name: "Q4_K", block: 256, bytes: 144, form: Super256, super: kernels.UnpackQ4K, halves: []int{0, 2}, min: true, quantize: quantizeQ4K},
	Q5_K: {name: "Q5_K", block: 256, bytes: 176, form: Super256, super: kernels.UnpackQ5K, halves: []int{0, 2}, min: true, quantize: quantizeQ5K},
	Q6_K: {name: "Q6_K", block: 256, bytes: 210, form: Super256, super: kernels.UnpackQ6K, halves: []int{208}, per16: true, quantize: quantizeQ6K},

	IQ1_S:   {name: "IQ1_S", block: 256, bytes: 50, form: Super256, super: kernels.UnpackIQ1S, halves: []int{0}},
	IQ1_M:   {name: "IQ1_M", block: 256, bytes: 56, form: Super256, super: kernels.UnpackIQ1M, badScale: badIQ1M, per16: true},
	IQ2_XXS: {name: "IQ2_XXS", block: 256, bytes: 66, form: Super256, super: kernels.UnpackIQ2XXS, halves: []int{0}},
	IQ2_XS:  {name: "IQ2_XS", block: 256, bytes: 74, form: Super256, super: kernels.UnpackIQ2XS, halves: []int{0}, per16: true},
	IQ2_S:   {name: "IQ2_S", block: 256, bytes: 82, form: Super256, super: kernels.UnpackIQ2S, halves: []int{0}, per16: true},
	IQ3_XXS: {name: "IQ3_XXS", block: 256, bytes: 98, form: Super256, super: kernels.UnpackIQ3XXS, halves: []int{0}},
	IQ3_S:   {name: "IQ3_S", block: 256, bytes: 110, form: Super256, super: kernels.UnpackIQ3S, halves: []int{0}},
	IQ4_XS:  {name: "IQ4_XS", block: 256, bytes: 136, form: Super256, super: kernels.UnpackIQ4XS, halves: []int{0}, quantize: quantizeIQ4XS},
	TQ1_0:   {name: "TQ1_0", block: 256, bytes: 54, form: Super256, super: kernels.UnpackTQ1_0, halves: []int{52}, quantize: quantizeTQ1_0},
	TQ2_0:   {name: "TQ2_0", block: 256, bytes: 66, form: Super256, super: kernels.UnpackTQ2_0, halves: []int{64}, quantize: quantizeTQ2_0},

	F8E4M3:   {name: "F8_E4M3", block: 1, bytes: 1, form: Float, float: loadF8E4M3},
	MXFP4Hub: {name: "MXFP4_HUB", block: 32, bytes: 16, form: Small32},
}

// removed names types that files of 2023 and 2024 may hold and nothing reads any
// more, and types that only exist in memory.
var removed = map[uint32]string{
	4: "Q4_2", 5: "Q4_3", 9: "Q8_1", 15: "Q8_K", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8",
	36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
}

// FromGGUF returns the type with a number found in a GGUF file.
func FromGGUF(id uint32) (Type, error) {
	if _, _, ok := SizeOf(id); ok {
		return Type(id), nil
	}
	if name, ok := removed[id]; ok {
		return 0, fmt.Errorf("%w: number %d is %s, which no file should hold any more: requantise it", ErrType, id, name)
	}
	return 0, fmt.Errorf("%w: number %d", ErrType, id)
}

// SizeOf returns the values and bytes of one block of the GGUF type with number
// ggml; ok is false for numbers that no file may hold.
func SizeOf(ggml uint32) (blockLen, blockBytes int, ok bool) {
	f, ok := formats[Type(ggml)]
	if !ok || ggml >= 1<<16 {
		return 0, 0, false
	}
	return f.block, f.bytes, true
}

// Parse returns the type called name, in upper or lower case: "q4_k", "bf16".
func Parse(name string) (Type, error) {
	for t, f := range formats {
		if strings.EqualFold(f.name, name) {
			return t, nil
		}
	}
	return 0, fmt.Errorf("%w: %q", ErrType, name)
}

func (t Type) String() string {
	if f := formats[t]; f != nil {
		return f.name
	}
	return fmt.Sprintf("Type(%d)", uint32(t))
}

// Valid reports whether t is one of the types above.
func (t Type) Valid() bool { return formats[t] != nil }

// row returns t's row of the table; of an unknown type, one of zeros.
func (t Type) row() *format {
	if f := formats[t]; f != nil {
		return f
	}
	return &format{}
}

// BlockLen is the number of values in a block, 0 for an unknown type.
func (t Type) BlockLen() int { return t.row().block }

// BlockBytes is the size of a block, 0 for an unknown type.
func (t Type) BlockBytes() int { return t.row().bytes }

// RowBytes is the size of n values, n a multiple of BlockLen; -1 if it is not.
func (t Type) RowBytes(n int) int {
	f := t.row()
	if f.block == 0 || n < 0 || n%f.block != 0 {
		return -1
	}
	return n / f.block * f.bytes
}

// Form says what t's blocks unpack into.
func (t Type) Form() Form { return t.row().form }

// HasMin reports whether blocks hold minima or offsets beside scales.
func (t Type) HasMin() bool { return t.row().min }

// ScalesPer16 reports whether each 16 values have a scale of their own: the
// halves of a kernels.Small, or the two of each 32 in a kernels.Super, may differ.
func (t Type) ScalesPer16() bool { return t.row().per16 }

// UnpackSuper returns the unpacker of types of form Super256, nil for others.
func (t Type) UnpackSuper() func(*kernels.Super, []byte) { return t.row().super }

// UnpackSmall returns the unpacker of types of form Small32 with blocks of 32
// values; nil for others, for NVFP4 (see UnpackDouble) and for MXFP4Hub
// (kernels.UnpackMXFP4Hub, which takes the scale too).
func (t Type) UnpackSmall() func(*kernels.Small, []byte) { return t.row().small }

// UnpackDouble returns the unpacker of NVFP4, whose block is two of 32 values;
// nil for others.
func (t Type) UnpackDouble() func(*[2]kernels.Small, []byte) { return t.row().double }

// CanQuantize reports whether Quantize writes t.
func (t Type) CanQuantize() bool {
	return t.row().quantize != nil || t == F32 || t == F16 || t == BF16
}
