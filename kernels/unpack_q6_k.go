package kernels

// UnpackQ6K unpacks a q6_K block of 210 bytes: 128 bytes of low 4 bits, 64 bytes
// of high 2 bits, 16 scales as int8, d as float16. In each 128 values, low byte
// l (of 64) holds values l and l+64, high byte l (of 32) holds values l, l+32,
// l+64, l+96. A code is its 6 bits - 32.
func UnpackQ6K(b *Super, src []byte) {
	src = src[:210]
	low, high := src[:128], src[128:192]
	q := b.bytes8()
	for h := 0; h < 2; h++ {
		q, low, high := q[128*h:][:128], low[64*h:][:64], high[32*h:][:32]
		for l := 0; l < 32; l += 8 {
			x, y, z := load64(low[l:]), load64(low[l+32:]), load64(high[l:])
			store64(q[l:], less(x&low4|z&low2<<4, 32))
			store64(q[l+32:], less(y&low4|z>>2&low2<<4, 32))
			store64(q[l+64:], less(x>>4&low4|z>>4&low2<<4, 32))
			store64(q[l+96:], less(y>>4&low4|z>>6&low2<<4, 32))
		}
	}
	for i, s := range src[192:208] {
		b.Scale[i] = int16(int8(s))
	}
	b.Min = [16]int16{}
	b.D, b.DMin = loadHalf(src[208:]), 0
}
