//go:build !purego

package kernels

import "slices"

// Codebooks whose points are words of 16 bits, a field a coordinate, in which a
// coordinate is the number of its level. The fields lie where _asm/dot_permuted.go
// wants them. One more word ends each: the last point is loaded as a dword.
var (
	wordsIQ1    = words8(gridIQ1, 0xf8, 0, 8) // -8, 0, 8
	wordsIQ2XXS = words8(gridIQ2XXS, 8, 25, 43)
	wordsIQ2XS  = words8(gridIQ2XS, 8, 25, 43)
	wordsIQ2S   = words8(gridIQ2S, 8, 25, 43)
	wordsIQ3XXS = words4(gridIQ3XXS, []byte{4, 12, 20, 28, 36, 44, 52, 62})
	wordsIQ3S   = words4(gridIQ3S, []byte{1, 3, 5, 7, 9, 11, 13, 15})
)

// words8 packs eight coordinates of 2 bits, four in each byte.
func words8(grid []uint64, levels ...byte) []uint16 {
	words := make([]uint16, len(grid)+1)
	for i, x := range grid {
		for j := range 8 {
			n := slices.Index(levels, byte(x>>(8*j)))
			words[i] |= uint16(n) << (8*(j/4) + []int{2, 6, 0, 4}[j%4])
		}
	}
	return words
}

// words4 packs four coordinates of 3 bits, two in each byte: one in bits 1 to 3, one
// in bits 4, 6 and 7.
func words4(grid []uint32, levels []byte) []uint16 {
	words := make([]uint16, len(grid)+1)
	for i, x := range grid {
		for j := range 4 {
			n := slices.Index(levels, byte(x>>(8*j)))
			if j%2 == 0 {
				n <<= 1
			} else {
				n = n&1<<4 | n>>1<<6
			}
			words[i] |= uint16(n) << (8 * (j / 2))
		}
	}
	return words
}
