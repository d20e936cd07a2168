package kernels

// UnpackIQ3S unpacks an iq3_s block of 110 bytes: d as float16, 64 bytes of low
// bits of codebook numbers, one for four values, 8 bytes of high bits, 32 bytes of
// signs, 8 scales of 4 bits, one for 32 values. A value is d * (2*scale+1) * magnitude.
func UnpackIQ3S(b *Super, src []byte) {
	src = src[:110]
	low, high, sign, scales := src[2:66], src[66:74], src[74:106], src[106:110]
	q := b.bytes8()
	for i, s := range sign {
		h := uint16(high[i/4]) >> (2 * (i & 3))
		x := uint64(gridIQ3S[uint16(low[2*i])|h&1<<8]) | uint64(gridIQ3S[uint16(low[2*i+1])|h>>1&1<<8])<<32
		store64(q[8*i:], negate(x, signs[s]))
	}
	for i := range 8 {
		s := int16(scales[i/2] >> (4 * (i & 1)) & 15)
		b.oddScale(2*i, s)
		b.oddScale(2*i+1, s)
	}
	b.Min = [16]int16{}
	b.D, b.DMin = loadHalf(src), 0
}
