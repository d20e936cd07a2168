package kernels

// UnpackIQ1S unpacks an iq1_s block of 50 bytes: d as float16, 32 bytes of low
// bits of codebook numbers, one for eight values, and a word of 16 bits for each
// 32 values: four times 3 high bits, a 3-bit scale, the sign of the offset. A
// value is d/8 * (2*scale+1) * (8*point +- 1).
func UnpackIQ1S(b *Super, src []byte) {
	src = src[:50]
	q := b.bytes8()
	for g := range 8 {
		h := load16(src[34+2*g:])
		s := int16(h>>12&7)*2 + 1
		b.Scale[2*g], b.Scale[2*g+1] = s, s
		low := src[2+4*g:][:4]
		for l, c := range low {
			n := uint16(c) | h>>(3*l)&7<<8
			store64(q[32*g+8*l:], offset8(gridIQ1[n], uint64(h>>15)))
		}
	}
	b.Min = [16]int16{}
	b.D, b.DMin = loadHalf(src)*0.125, 0
}

// offset8 adds 1 to bytes that are multiples of 8, -1 if negative is 1: without
// their sign bits no byte carries or borrows.
func offset8(x, negative uint64) uint64 {
	return ((x ^ high1) + (1-2*negative)*ones) ^ high1
}
