package kernels

// UnpackIQ2XS unpacks an iq2_xs block of 74 bytes: d as float16, 32 words of 16
// bits for eight values each (9 bits of codebook number, 7 signs, the eighth makes
// their number even), 16 scales of 4 bits. A value is d/8 * (2*scale+1) * magnitude.
func UnpackIQ2XS(b *Super, src []byte) {
	src = src[:74]
	q := b.bytes8()
	for i := range 32 {
		w := load16(src[2+2*i:])
		store64(q[8*i:], negate(gridIQ2XS[w&511], evenSigns[w>>9]))
	}
	b.oddScales(src[66:74])
	b.Min = [16]int16{}
	b.D, b.DMin = loadHalf(src)*0.125, 0
}

// oddScales reads 16 scales s of 4 bits, low half first, and sets 2s+1.
func (b *Super) oddScales(p []byte) {
	for i, s := range p[:8] {
		b.oddScale(2*i, int16(s&15))
		b.oddScale(2*i+1, int16(s>>4))
	}
}
