package quant

var shapeQ5K = minShape{group: 32, top: 31, topSM: 63, starts: []float32{1, 0.96, 0.93, 1.02, 0.98, 0.90}}

func quantizeQ5K(dst []byte, x, w []float32) {
	var b minBlock
	b.fit(x, w, &shapeQ5K)
	b.header(dst)
	high := dst[16:48]
	for l := range high {
		high[l] = 0
		for j := range 8 {
			high[l] |= b.q[32*j+l] >> 4 << j
		}
	}
	b.low4(dst[48:176])
}
