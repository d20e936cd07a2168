package kernels

import (
	"encoding/base64"
	"encoding/binary"
)

// The codebooks of the i-quants are data of the format (GGUF types 16-19, 21,
// 22 and 29): points of a small lattice, sorted by their code. A code has 2 bits
// a coordinate in eight dimensions, 4 bits in four, the first coordinate lowest,
// numbering the levels. The text holds the differences of successive codes as
// base-128 varints in base64; that is a byte a point for nearly all.

// grid8 decodes points of eight coordinates into bytes of a word, the first
// coordinate lowest.
func grid8(dst []uint64, level [4]int8, text string) []uint64 {
	for i, code := range codes(len(dst), text) {
		for j := range 8 {
			dst[i] |= uint64(uint8(level[code>>(2*j)&3])) << (8 * j)
		}
	}
	return dst
}

// grid4 decodes points of four coordinates.
func grid4(dst []uint32, level [8]int8, text string) []uint32 {
	for i, code := range codes(len(dst), text) {
		for j := range 4 {
			dst[i] |= uint32(uint8(level[code>>(4*j)&7])) << (8 * j)
		}
	}
	return dst
}

func codes(n int, text string) []uint64 {
	p, err := base64.StdEncoding.DecodeString(text)
	out := make([]uint64, n)
	var code uint64
	for i := range out {
		diff, size := binary.Uvarint(p)
		if err != nil || size <= 0 {
			panic("kernels: damaged codebook")
		}
		p = p[size:]
		code += diff
		out[i] = code
	}
	if len(p) != 0 {
		panic("kernels: damaged codebook")
	}
	return out
}
