package kernels

// NL4 are the sixteen levels of iq4_nl and iq4_xs, denser around zero.
var NL4 = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// UnpackIQ4NL unpacks an iq4_nl block of 18 bytes, laid out as q4_0, its codes
// numbers of levels of NL4.
func UnpackIQ4NL(b *Small, src []byte) {
	src = src[:18]
	b.setScale(loadHalf(src))
	lookup4(b.Q[:16], b.Q[16:], src[2:], &NL4)
}

// lookup4 writes the levels of the low halves of 16 bytes to low, of the high
// halves to high.
func lookup4(low, high []int8, src []byte, level *[16]int8) {
	low, high, src = low[:16], high[:16], src[:16]
	for l, c := range src {
		low[l] = level[c&15]
		high[l] = level[c>>4]
	}
}
