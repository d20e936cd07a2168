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
	name     string
	kernel   *kernels.Format // layout and unpacker; nil for what is not weights
	bytes    int             // of a value, if kernel is nil
	per16    bool            // a scale for 16 values, not 32
	fine     bool            // codes of more than 6 bits
	halves   []int           // offsets of a block's float16 scales
	badScale func(block []byte) bool
	quantize func(dst []byte, x, w []float32) // one block; nil: decoded only
}

// formats is the table. A new format is a file in kernels (layout, unpacker) and
// its row there, and a file (quantiser) and a row here.
var formats = map[Type]*format{
	F32:  {name: "F32", kernel: kernels.F32},
	F16:  {name: "F16", kernel: kernels.F16},
	BF16: {name: "BF16", kernel: kernels.BF16},
	F64:  {name: "F64", bytes: 8},
	I8:   {name: "I8", bytes: 1},
	I16:  {name: "I16", bytes: 2},
	I32:  {name: "I32", bytes: 4},
	I64:  {name: "I64", bytes: 8},

	Q4_0:   {name: "Q4_0", kernel: kernels.Q4_0, halves: []int{0}, quantize: quantizeQ4_0},
	Q4_1:   {name: "Q4_1", kernel: kernels.Q4_1, halves: []int{0, 2}, quantize: quantizeQ4_1},
	Q5_0:   {name: "Q5_0", kernel: kernels.Q5_0, halves: []int{0}, quantize: quantizeQ5_0},
	Q5_1:   {name: "Q5_1", kernel: kernels.Q5_1, halves: []int{0, 2}, quantize: quantizeQ5_1},
	Q8_0:   {name: "Q8_0", kernel: kernels.Q8_0, halves: []int{0}, fine: true, quantize: quantizeQ8_0},
	IQ4_NL: {name: "IQ4_NL", kernel: kernels.IQ4NL, halves: []int{0}, quantize: quantizeIQ4NL},
	MXFP4:  {name: "MXFP4", kernel: kernels.MXFP4, badScale: badMXFP4, quantize: quantizeMXFP4},
	NVFP4:  {name: "NVFP4", kernel: kernels.NVFP4, per16: true, badScale: badNVFP4, quantize: quantizeNVFP4},

	Q2_K: {name: "Q2_K", kernel: kernels.Q2K, per16: true, halves: []int{80, 82}, quantize: quantizeQ2K},
	Q3_K: {name: "Q3_K", kernel: kernels.Q3K, per16: true, halves: []int{108}, quantize: quantizeQ3K},
	Q4_K: {name: "Q4_K", kernel: kernels.Q4K, halves: []int{0, 2}, quantize: quantizeQ4K},
	Q5_K: {name: "Q5_K", kernel: kernels.Q5K, halves: []int{0, 2}, quantize: quantizeQ5K},
	Q6_K: {name: "Q6_K", kernel: kernels.Q6K, per16: true, halves: []int{208}, quantize: quantizeQ6K},

	IQ1_S:   {name: "IQ1_S", kernel: kernels.IQ1S, halves: []int{0}},
	IQ1_M:   {name: "IQ1_M", kernel: kernels.IQ1M, per16: true, badScale: badIQ1M},
	IQ2_XXS: {name: "IQ2_XXS", kernel: kernels.IQ2XXS, halves: []int{0}},
	IQ2_XS:  {name: "IQ2_XS", kernel: kernels.IQ2XS, per16: true, halves: []int{0}},
	IQ2_S:   {name: "IQ2_S", kernel: kernels.IQ2S, per16: true, halves: []int{0}},
	IQ3_XXS: {name: "IQ3_XXS", kernel: kernels.IQ3XXS, halves: []int{0}},
	IQ3_S:   {name: "IQ3_S", kernel: kernels.IQ3S, halves: []int{0}},
	IQ4_XS:  {name: "IQ4_XS", kernel: kernels.IQ4XS, halves: []int{0}, quantize: quantizeIQ4XS},
	TQ1_0:   {name: "TQ1_0", kernel: kernels.TQ1_0, halves: []int{52}, quantize: quantizeTQ1_0},
	TQ2_0:   {name: "TQ2_0", kernel: kernels.TQ2_0, halves: []int{64}, quantize: quantizeTQ2_0},

	F8E4M3:   {name: "F8_E4M3", kernel: kernels.F8E4M3},
	MXFP4Hub: {name: "MXFP4_HUB", kernel: kernels.MXFP4Hub},
}

// block returns the values and bytes of one block.
func (f *format) block() (n, size int) {
	if f.kernel != nil {
		return f.kernel.Block, f.kernel.Bytes
	}
	return 1, f.bytes
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
	f := formats[Type(ggml)]
	if f == nil || ggml >= 1<<16 {
		return 0, 0, false
	}
	blockLen, blockBytes = f.block()
	return blockLen, blockBytes, true
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

// BlockLen is the number of values in a block, 0 for an unknown type.
func (t Type) BlockLen() int { n, _ := t.block(); return n }

// BlockBytes is the size of a block, 0 for an unknown type.
func (t Type) BlockBytes() int { _, size := t.block(); return size }

func (t Type) block() (n, size int) {
	if f := formats[t]; f != nil {
		return f.block()
	}
	return 0, 0
}

// RowBytes is the size of n values, n a multiple of BlockLen; -1 if it is not.
func (t Type) RowBytes(n int) int {
	block, size := t.block()
	if block == 0 || n < 0 || n%block != 0 {
		return -1
	}
	return n / block * size
}

// Format is how the kernels read t; nil for types that are not weights.
func (t Type) Format() *kernels.Format {
	if f := formats[t]; f != nil {
		return f.kernel
	}
	return nil
}

// Form says what t's blocks unpack into.
func (t Type) Form() Form {
	k := t.Format()
	switch {
	case k == nil:
		return Index
	case k.Super != nil:
		return Super256
	case k.Small != nil || k.SmallBeside != nil || k.Pair != nil:
		return Small32
	}
	return Float
}

// HasMin reports whether blocks hold minima or offsets beside scales.
func (t Type) HasMin() bool { k := t.Format(); return k != nil && k.Min }

// ScalesPer16 reports whether each 16 values have a scale of their own: the
// halves of a kernels.Small, or the two of each 32 in a kernels.Super, may differ.
func (t Type) ScalesPer16() bool { f := formats[t]; return f != nil && f.per16 }

// UnpackSuper returns the unpacker of types of form Super256, nil for others.
func (t Type) UnpackSuper() func(*kernels.Super, []byte) {
	if k := t.Format(); k != nil {
		return k.Super
	}
	return nil
}

// UnpackSmall returns the unpacker of types of form Small32 with blocks of 32
// values; nil for others, for NVFP4, whose blocks are two of 32, and for MXFP4Hub,
// whose scales lie beside. Format has the unpackers of these.
func (t Type) UnpackSmall() func(*kernels.Small, []byte) {
	if k := t.Format(); k != nil {
		return k.Small
	}
	return nil
}

// CanQuantize reports whether Quantize writes t.
func (t Type) CanQuantize() bool {
	f := formats[t]
	return f != nil && f.quantize != nil || t == F32 || t == F16 || t == BF16
}
