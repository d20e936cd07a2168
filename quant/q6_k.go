package quant

var shapeQ6K = scaleShape{levels: levels{lo: -32, hi: 31}, group: 16, slo: -128, shi: 127,
	starts: []float32{1, 0.97, -0.94, -0.91, 0.88}}

func quantizeQ6K(dst []byte, x, w []float32) {
	var b scaleBlock
	b.fit(x, w, &shapeQ6K)
	for h := range 2 {
		q, low, high := b.q[128*h:][:128], dst[64*h:][:64], dst[128+32*h:][:32]
		for l := range 32 {
			c0, c1, c2, c3 := uint8(q[l]+32), uint8(q[l+32]+32), uint8(q[l+64]+32), uint8(q[l+96]+32)
			low[l] = c0&15 | c2<<4
			low[l+32] = c1&15 | c3<<4
			high[l] = c0>>4 | c1>>4<<2 | c2>>4<<4 | c3>>4<<6
		}
	}
	for j, s := range b.scale {
		dst[192+j] = uint8(s)
	}
	le.PutUint16(dst[208:], b.d)
}
