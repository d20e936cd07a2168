package quant

import "github.com/coterie-go/coterie/kernels"

var shapeIQ4XS = scaleShape{levels: newLevels(kernels.NL4[:]), group: 32, slo: -32, shi: 31, starts: startsNL}

func quantizeIQ4XS(dst []byte, x, w []float32) {
	var b scaleBlock
	b.fit(x, w, &shapeIQ4XS)
	le.PutUint16(dst, b.d)
	var high uint16
	clear(dst[4:8])
	for j := range 8 {
		c := uint8(b.scale[j] + 32)
		dst[4+j/2] |= c & 15 << (j % 2 * 4)
		high |= uint16(c>>4) << (2 * j)
		packNL(dst[8+16*j:][:16], b.q[32*j:][:32])
	}
	le.PutUint16(dst[2:], high)
}
