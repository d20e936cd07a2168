package kernels

// UnpackIQ2XXS unpacks an iq2_xxs block of 66 bytes: d as float16 and, for each
// 32 values, four codebook numbers (a byte for eight values) and a word of four
// times 7 sign bits and a 4-bit scale. The eighth sign makes their number even.
// A value is d/8 * (2*scale+1) * magnitude.
func UnpackIQ2XXS(b *Super, src []byte) {
	src = src[:66]
	q := b.bytes8()
	for g := range 8 {
		p := src[2+8*g:][:8]
		w := load32(p[4:])
		b.oddScale(2*g, int16(w>>28))
		b.oddScale(2*g+1, int16(w>>28))
		for l, c := range p[:4] {
			store64(q[32*g+8*l:], negate(gridIQ2XXS[c], evenSigns[w>>(7*l)&127]))
		}
	}
	b.Min = [16]int16{}
	b.D, b.DMin = loadHalf(src)*0.125, 0
}

// oddScale sets scale i to 2s+1.
func (b *Super) oddScale(i int, s int16) { b.Scale[i] = 2*s + 1 }
