package quant

// quantizeQ8_0 lets the extreme value land on the last code. A search gains
// nothing measurable at 8 bits, but the codes are for d as it was rounded.
func quantizeQ8_0(dst []byte, x, _ []float32) {
	bits, d := half(abs(extreme(x)) / 127)
	le.PutUint16(dst, bits)
	inv := inverse(d)
	for i, v := range x {
		dst[2+i] = uint8(code(float32(v*inv), -127, 127))
	}
}
