package kernels

// UnpackQ5_1 unpacks a q5_1 block of 24 bytes: d and the minimum as float16, a
// word of fifth bits, 16 bytes of low 4 bits, laid out as in q5_0.
func UnpackQ5_1(b *Small, src []byte) {
	src = src[:24]
	b.setScale(loadHalf(src))
	b.M = loadHalf(src[2:])
	q := b.bytes8()
	for l := 0; l < 16; l += 8 {
		x := load64(src[8+l:])
		store64(q[l:], x&low4|spread(src[4+l/8])<<4)
		store64(q[l+16:], x>>4&low4|spread(src[6+l/8])<<4)
	}
}
