package kernels

// UnpackQ4_0 unpacks a q4_0 block of 18 bytes: d as float16, 16 bytes of 4-bit
// codes with an offset of 8. Byte l holds values l (low half) and l+16.
func UnpackQ4_0(b *Small, src []byte) {
	src = src[:18]
	b.setScale(loadHalf(src))
	q := b.bytes8()
	for l := 0; l < 16; l += 8 {
		x := load64(src[2+l:])
		store64(q[l:], less(x&low4, 8))
		store64(q[l+16:], less(x>>4&low4, 8))
	}
}
