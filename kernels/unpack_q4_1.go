package kernels

// UnpackQ4_1 unpacks a q4_1 block of 20 bytes: d and the minimum as float16, 16
// bytes of 4-bit codes. Byte l holds values l (low half) and l+16.
func UnpackQ4_1(b *Small, src []byte) {
	src = src[:20]
	b.setScale(loadHalf(src))
	b.M = loadHalf(src[2:])
	q := b.bytes8()
	for l := 0; l < 16; l += 8 {
		x := load64(src[4+l:])
		store64(q[l:], x&low4)
		store64(q[l+16:], x>>4&low4)
	}
}
