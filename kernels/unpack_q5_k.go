package kernels

// UnpackQ5K unpacks a q5_K block of 176 bytes: d and dmin as float16, 12 bytes
// of scales and mins (as in q4_K), 32 bytes of fifth bits, 128 bytes of low 4
// bits (as in q4_K). Bit j of fifth-bit byte l belongs to value 32j+l.
func UnpackQ5K(b *Super, src []byte) {
	src = src[:176]
	b.D, b.DMin = loadHalf(src), loadHalf(src[2:])
	b.scales6(src[4:16])
	q, high, codes := b.bytes8(), src[16:48], src[48:176]
	for c := 0; c < 4; c++ {
		q, codes := q[64*c:][:64], codes[32*c:][:32]
		for l := 0; l < 32; l += 8 {
			x, y := load64(codes[l:]), load64(high[l:])>>(2*c)
			store64(q[l:], x&low4|y&low1<<4)
			store64(q[l+32:], x>>4&low4|y>>1&low1<<4)
		}
	}
}
