package kernels

// UnpackIQ1M unpacks an iq1_m block of 56 bytes: 32 bytes of low bits of codebook
// numbers, one for eight values; 16 bytes whose halves hold 3 high bits and the
// sign of the offset for eight values each; 4 words of 16 bits with four 3-bit
// scales each, one for 16 values, and a quarter of d (float16) in the top 4 bits.
// A value is d/8 * (2*scale+1) * (8*point +- 1).
func UnpackIQ1M(b *Super, src []byte) {
	src = src[:56]
	low, high, scales := src[:32], src[32:48], src[48:]
	q := b.bytes8()
	for i, c := range low {
		h := high[i/2] >> (4 * (i & 1))
		n := uint16(c) | uint16(h&7)<<8
		store64(q[8*i:], offset8(gridIQ1[n], uint64(h>>3&1)))
	}
	var d uint16
	for i := range 4 {
		w := load16(scales[2*i:])
		d |= w >> 12 << (4 * i)
		for j := range 4 {
			b.Scale[4*i+j] = int16(w>>(3*j)&7)*2 + 1
		}
	}
	b.Min = [16]int16{}
	b.D, b.DMin = F16ToF32(d)*0.125, 0
}
