package quant

var shapeQ4K = minShape{group: 32, top: 15, topSM: 63, starts: []float32{1, 1.04, 0.94, 0.98, 0.86, 0.96}}

func quantizeQ4K(dst []byte, x, w []float32) {
	var b minBlock
	b.fit(x, w, &shapeQ4K)
	b.header(dst)
	b.low4(dst[16:144])
}

// header writes what q4_K and q5_K begin with; see kernels.UnpackQ4K.
func (b *minBlock) header(dst []byte) {
	le.PutUint16(dst, b.d)
	le.PutUint16(dst[2:], b.dmin)
	for j := range 4 {
		dst[4+j] = b.scale[j] | b.scale[j+4]>>4<<6
		dst[8+j] = b.mins[j] | b.mins[j+4]>>4<<6
		dst[12+j] = b.scale[j+4]&15 | b.mins[j+4]<<4
	}
}

// low4 writes the low 4 bits of the codes, two halves of 64 to a byte.
func (b *minBlock) low4(dst []byte) {
	for c := range 4 {
		q, dst := b.q[64*c:][:64], dst[32*c:][:32]
		for l := range dst {
			dst[l] = q[l]&15 | q[l+32]<<4
		}
	}
}
