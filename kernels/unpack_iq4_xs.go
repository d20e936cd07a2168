package kernels

// UnpackIQ4XS unpacks an iq4_xs block of 136 bytes: d as float16, the high 2
// bits of eight 6-bit scales (a word of 16 bits), their low 4 bits (4 bytes), 128
// bytes of numbers of levels of NL4. Byte l of the codes of each 32 values holds
// values l (low half) and l+16. A scale is its 6 bits - 32.
func UnpackIQ4XS(b *Super, src []byte) {
	src = src[:136]
	high, low := load16(src[2:]), load32(src[4:])
	for j := range 8 {
		s := int16(low>>(4*j)&15|uint32(high)>>(2*j)&3<<4) - 32
		b.Scale[2*j], b.Scale[2*j+1] = s, s
		q := b.Q[32*j:][:32]
		lookup4(q[:16], q[16:], src[8+16*j:], &NL4)
	}
	b.Min = [16]int16{}
	b.D, b.DMin = loadHalf(src), 0
}
