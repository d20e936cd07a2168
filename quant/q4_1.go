package quant

func quantizeQ4_1(dst []byte, x, w []float32) {
	var q [32]uint8
	d, m := blockMin(q[:], x, w, 15, shapeQ4K.starts)
	le.PutUint16(dst, d)
	le.PutUint16(dst[2:], m)
	for l := range 16 {
		dst[4+l] = q[l] | q[l+16]<<4
	}
}
