package kernels

// UnpackQ4K unpacks a q4_K block of 144 bytes: d and dmin as float16, 12 bytes
// of eight 6-bit scales and mins, 128 bytes of 4-bit codes. Byte l of the codes
// of each 64 values holds values l (low half) and l+32.
func UnpackQ4K(b *Super, src []byte) {
	src = src[:144]
	b.D, b.DMin = loadHalf(src), loadHalf(src[2:])
	b.scales6(src[4:16])
	q, codes := b.bytes8(), src[16:144]
	for c := 0; c < 4; c++ {
		q, codes := q[64*c:][:64], codes[32*c:][:32]
		for l := 0; l < 32; l += 8 {
			x := load64(codes[l:])
			store64(q[l:], x&low4)
			store64(q[l+32:], x>>4&low4)
		}
	}
}

// scales6 reads the eight scales and mins of q4_K and q5_K, 6 bits each, one of
// both for 32 values. Bytes 0-3 and 4-7 hold scales and mins 0-3 in their low 6
// bits and, above them, the high 2 bits of scales and mins 4-7, whose low 4 bits
// are the halves of bytes 8-11.
func (b *Super) scales6(p []byte) {
	x, y, z := load32(p), load32(p[4:]), load32(p[8:])
	const six, four, two = 0x3f3f3f3f, 0x0f0f0f0f, 0x30303030
	scale := uint64(x&six) | uint64(z&four|x>>2&two)<<32
	mins := uint64(y&six) | uint64(z>>4&four|y>>2&two)<<32
	for i := 0; i < 16; i += 2 {
		s, m := int16(scale>>(4*i)&63), int16(mins>>(4*i)&63)
		b.Scale[i], b.Scale[i+1] = s, s
		b.Min[i], b.Min[i+1] = m, m
	}
}
