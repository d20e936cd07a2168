package quant

var shapeQ3K = scaleShape{levels: levels{lo: -4, hi: 3}, group: 16, slo: -32, shi: 31,
	starts: []float32{1.05, 0.8, 1.25, 0.95, -1.1, 1.15}}

func quantizeQ3K(dst []byte, x, w []float32) {
	var b scaleBlock
	b.fit(x, w, &shapeQ3K)
	var q [256]uint8
	high := dst[:32]
	clear(high)
	for i, v := range b.q {
		c := uint8(v + 4)
		q[i] = c & 3
		high[i%32] |= c >> 2 << (i / 32)
	}
	pack2(dst[32:96], &q)
	scales := dst[96:108]
	clear(scales)
	for j, s := range b.scale {
		c := uint8(s + 32)
		scales[j%8] |= c & 15 << (j / 8 * 4)
		scales[8+j%4] |= c >> 4 << (j / 4 * 2)
	}
	le.PutUint16(dst[108:], b.d)
}
