package kernels

// UnpackQ3K unpacks a q3_K block of 110 bytes: 32 bytes of high bits, 64 bytes
// of low 2-bit codes (as in q2_K), 12 bytes of sixteen 6-bit scales, d as
// float16. Bit j of high byte l belongs to value 32j+l; a code is low + 4*high - 4
// and a scale is its 6 bits - 32.
func UnpackQ3K(b *Super, src []byte) {
	src = src[:110]
	high, low, scales := src[:32], src[32:96], src[96:108]
	q := b.bytes8()
	for h := 0; h < 2; h++ {
		q, low := q[128*h:][:128], low[32*h:][:32]
		for l := 0; l < 32; l += 8 {
			x, y := load64(low[l:]), load64(high[l:])>>(4*h)
			store64(q[l:], less(x&low2|y&low1<<2, 4))
			store64(q[l+32:], less(x>>2&low2|y>>1&low1<<2, 4))
			store64(q[l+64:], less(x>>4&low2|y>>2&low1<<2, 4))
			store64(q[l+96:], less(x>>6&low2|y>>3&low1<<2, 4))
		}
	}
	for i := range 4 {
		for j := range 4 { // scale 4j+i
			s := scales[4*(j&1)+i] >> (4 * (j >> 1)) & 15
			s |= scales[8+i] >> (2 * j) & 3 << 4
			b.Scale[4*j+i] = int16(s) - 32
		}
	}
	b.Min = [16]int16{}
	b.D, b.DMin = loadHalf(src[108:]), 0
}
