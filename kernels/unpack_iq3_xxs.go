package kernels

// UnpackIQ3XXS unpacks an iq3_xxs block of 98 bytes: d as float16, 64 bytes of
// codebook numbers, one for four values, and for each 32 values a word of four
// times 7 sign bits and a 4-bit scale. The eighth sign makes their number even.
// A value is d/4 * (2*scale+1) * magnitude.
func UnpackIQ3XXS(b *Super, src []byte) {
	src = src[:98]
	q := b.bytes8()
	for g := range 8 {
		p, w := src[2+8*g:][:8], load32(src[66+4*g:])
		b.oddScale(2*g, int16(w>>28))
		b.oddScale(2*g+1, int16(w>>28))
		for l := range 4 {
			x := uint64(gridIQ3XXS[p[2*l]]) | uint64(gridIQ3XXS[p[2*l+1]])<<32
			store64(q[32*g+8*l:], negate(x, evenSigns[w>>(7*l)&127]))
		}
	}
	b.Min = [16]int16{}
	b.D, b.DMin = loadHalf(src)*0.25, 0
}
