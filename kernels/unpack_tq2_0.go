package kernels

// UnpackTQ2_0 unpacks a tq2_0 block of 66 bytes: 64 bytes of 2-bit codes laid out
// as in q2_K, d as float16. A code is its 2 bits - 1.
func UnpackTQ2_0(b *Super, src []byte) {
	src = src[:66]
	q := b.bytes8()
	unpack2(q, src[:64])
	for i := 0; i < 256; i += 8 {
		store64(q[i:], less(load64(q[i:]), 1))
	}
	b.ternary(loadHalf(src[64:]))
}
