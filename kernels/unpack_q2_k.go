package kernels

// UnpackQ2K unpacks a q2_K block of 84 bytes: 16 bytes of scale (low half) and
// min (high half), 64 bytes of 2-bit codes, d and dmin as float16. Byte l of the
// codes of each 128 values holds values l, l+32, l+64, l+96.
func UnpackQ2K(b *Super, src []byte) {
	src = src[:84]
	for i, s := range src[:16] {
		b.Scale[i] = int16(s & 15)
		b.Min[i] = int16(s >> 4)
	}
	unpack2(b.bytes8(), src[16:80])
	b.D, b.DMin = loadHalf(src[80:]), loadHalf(src[82:])
}

// unpack2 spreads 2-bit codes laid out as in q2_K.
func unpack2(q *[256]byte, src []byte) {
	for h := 0; h < 2; h++ {
		q, src := q[128*h:][:128], src[32*h:][:32]
		for l := 0; l < 32; l += 8 {
			x := load64(src[l:])
			store64(q[l:], x&low2)
			store64(q[l+32:], x>>2&low2)
			store64(q[l+64:], x>>4&low2)
			store64(q[l+96:], x>>6&low2)
		}
	}
}
