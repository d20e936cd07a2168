package quant

var (
	levelsQ5 = levels{lo: -16, hi: 15}
	startsQ5 = []float32{1, 0.94, 1.04, 0.88, 0.82}
)

func quantizeQ5_0(dst []byte, x, w []float32) {
	var q [32]int8
	le.PutUint16(dst, levelsQ5.block(q[:], x, w, startsQ5))
	var c [32]uint8
	for i, v := range q {
		c[i] = uint8(v + 16)
	}
	pack5(dst[2:], &c)
}

// pack5 writes the word of fifth bits and the low 4 bits of q5_0 and q5_1.
func pack5(dst []byte, c *[32]uint8) {
	var high uint32
	for i, v := range c {
		high |= uint32(v>>4) << i
	}
	le.PutUint32(dst, high)
	for l := range 16 {
		dst[4+l] = c[l]&15 | c[l+16]<<4
	}
}
