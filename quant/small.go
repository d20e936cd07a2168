package quant

// block fits x ~ d*q with one scale, sets q and returns d.
func (g *levels) block(q []int8, x, w []float32, starts []float32) (bits uint16) {
	bits, d := half(g.scale(x, w, starts))
	g.quantize(q, x, inverse(d))
	return bits
}

// blockMin fits x ~ d*q + m with codes 0..top, sets q and returns d and m.
func blockMin(q []uint8, x, w []float32, top float32, starts []float32) (bitsD, bitsM uint16) {
	f := fitAffine(x, w, top, starts, true)
	bitsD, d := half(f.s)
	bitsM, m := half(f.off)
	inv := inverse(d)
	for i, v := range x {
		q[i] = uint8(code(float32((v-m)*inv), 0, int32(top)))
	}
	return bitsD, bitsM
}
