package quant

func quantizeQ5_1(dst []byte, x, w []float32) {
	var q [32]uint8
	d, m := blockMin(q[:], x, w, 31, shapeQ5K.starts)
	le.PutUint16(dst, d)
	le.PutUint16(dst[2:], m)
	pack5(dst[4:], &q)
}
