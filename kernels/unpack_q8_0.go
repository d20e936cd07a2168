package kernels

// UnpackQ8_0 unpacks a q8_0 block of 34 bytes: d as float16, 32 codes as int8.
func UnpackQ8_0(b *Small, src []byte) {
	src = src[:34]
	b.setScale(loadHalf(src))
	copy(b.bytes8()[:], src[2:])
}
