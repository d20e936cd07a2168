package kernels

import "math"

// FP4 are the values of e2m1, 4-bit floating point, doubled to make them whole:
// 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives (OCP Microscaling Formats 1.0).
var FP4 = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// UnpackMXFP4 unpacks an mxfp4 block of 17 bytes: an e8m0 scale, 16 bytes of e2m1
// values. Byte l holds values l (low half) and l+16.
func UnpackMXFP4(b *Small, src []byte) {
	src = src[:17]
	b.setScale(halfE8M0(src[0]))
	lookup4(b.Q[:16], b.Q[16:], src[1:], &FP4)
}

// UnpackMXFP4Hub unpacks 32 values as hub checkpoints hold them: 16 bytes, byte
// l holding values 2l (low half) and 2l+1, and an e8m0 scale that lies beside.
func UnpackMXFP4Hub(b *Small, nibbles []byte, scale byte) {
	b.setScale(halfE8M0(scale))
	for l, c := range nibbles[:16] {
		b.Q[2*l] = FP4[c&15]
		b.Q[2*l+1] = FP4[c>>4]
	}
}

// halfE8M0 returns half of an e8m0 scale, 2^(e-128), because FP4 is doubled.
// e = 255 is the format's NaN: quant.Check finds it, here it is 2^127.
func halfE8M0(e byte) float32 {
	if e < 2 {
		return math.Float32frombits(0x00200000 << e)
	}
	return math.Float32frombits(uint32(e-1) << 23)
}
