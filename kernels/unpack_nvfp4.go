package kernels

// UnpackNVFP4 unpacks an nvfp4 block of 36 bytes, 64 values: four scales in
// e4m3 without sign, one for 16 values, and 32 bytes of e2m1 values. Byte l of
// the 8 of each 16 values holds values l (low half) and l+8.
func UnpackNVFP4(b *[2]Small, src []byte) {
	src = src[:36]
	for s := range 4 {
		h := s & 1
		b := &b[s/2]
		b.D[h] = 0.5 * F8E4M3ToF32(src[s]&0x7f)
		b.M = noOffset
		q := b.Q[16*h:][:16]
		for l, c := range src[4+8*s:][:8] {
			q[l] = FP4[c&15]
			q[l+8] = FP4[c>>4]
		}
	}
}
