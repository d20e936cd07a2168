package kernels

// UnpackQ5_0 unpacks a q5_0 block of 22 bytes: d as float16, a word of fifth
// bits, 16 bytes of low 4 bits. Byte l holds values l (low half) and l+16, bit i
// of the word belongs to value i; a code is its 5 bits - 16.
func UnpackQ5_0(b *Small, src []byte) {
	src = src[:22]
	b.setScale(loadHalf(src))
	q := b.bytes8()
	for l := 0; l < 16; l += 8 {
		x := load64(src[6+l:])
		store64(q[l:], less(x&low4|spread(src[2+l/8])<<4, 16))
		store64(q[l+16:], less(x>>4&low4|spread(src[4+l/8])<<4, 16))
	}
}
