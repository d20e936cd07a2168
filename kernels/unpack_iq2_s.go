package kernels

// UnpackIQ2S unpacks an iq2_s block of 82 bytes: d as float16, 32 bytes of low
// bits of codebook numbers, one for eight values, 32 bytes of signs, 8 bytes of
// four times 2 high bits, 16 scales of 4 bits. A value is d/8 * (2*scale+1) * magnitude.
func UnpackIQ2S(b *Super, src []byte) {
	src = src[:82]
	low, sign, high := src[2:34], src[34:66], src[66:74]
	q := b.bytes8()
	for i, c := range low {
		n := uint16(c) | uint16(high[i/4]>>(2*(i&3))&3)<<8
		store64(q[8*i:], negate(gridIQ2S[n], signs[sign[i]]))
	}
	b.oddScales(src[74:82])
	b.Min = [16]int16{}
	b.D, b.DMin = loadHalf(src)*0.125, 0
}
