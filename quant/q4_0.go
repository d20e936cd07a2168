package quant

var (
	levelsQ4 = levels{lo: -8, hi: 7}
	startsQ4 = []float32{1.05, 0.95, 1.15, 0.9, 1, 0.8}
)

func quantizeQ4_0(dst []byte, x, w []float32) {
	var q [32]int8
	le.PutUint16(dst, levelsQ4.block(q[:], x, w, startsQ4))
	for l := range 16 {
		dst[2+l] = uint8(q[l]+8) | uint8(q[l+16]+8)<<4
	}
}
