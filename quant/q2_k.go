package quant

var shapeQ2K = minShape{group: 16, top: 3, topSM: 15, starts: []float32{1.05, 0.9, 1.2, 0.95, 0.85, 0.8}}

func quantizeQ2K(dst []byte, x, w []float32) {
	var b minBlock
	b.fit(x, w, &shapeQ2K)
	for j := range 16 {
		dst[j] = b.scale[j] | b.mins[j]<<4
	}
	pack2(dst[16:80], &b.q)
	le.PutUint16(dst[80:], b.d)
	le.PutUint16(dst[82:], b.dmin)
}

// pack2 writes 2-bit codes: byte l of each 128 values holds l, l+32, l+64, l+96.
func pack2(dst []byte, q *[256]uint8) {
	for h := range 2 {
		q, dst := q[128*h:][:128], dst[32*h:][:32]
		for l := range dst {
			dst[l] = q[l] | q[l+32]<<2 | q[l+64]<<4 | q[l+96]<<6
		}
	}
}
