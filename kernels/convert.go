package kernels

import "math"

// F16ToF32 converts an IEEE 754 half exactly.
func F16ToF32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	if h&0x7c00 == 0x7c00 { // infinities and NaN keep their payload
		return math.Float32frombits(sign | 0x7f800000 | uint32(h&0x3ff)<<13)
	}
	// As a float32 the shifted bits are 2**-112 times too small; the product is
	// exact, also for subnormals.
	return math.Float32frombits(sign | math.Float32bits(math.Float32frombits(uint32(h&0x7fff)<<13)*0x1p112))
}

// F32ToF16 rounds to the nearest half, ties to even; too large becomes infinite.
func F32ToF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00
	case b >= 0x477ff000: // rounds to 2**16 or more
		return sign | 0x7c00
	case b < 0x38800000: // under 2**-14: adding 0.5 leaves the subnormal in the low bits
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-0x3f000000)
	}
	return sign | uint16((b+0xfff+b>>13&1-0x38000000)>>13)
}

// BF16ToF32 converts a bfloat16 exactly.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// F32ToBF16 rounds to the nearest bfloat16, ties to even.
func F32ToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// F8E4M3ToF32 converts an 8-bit float of 4 exponent and 3 mantissa bits exactly.
// This is OCP's E4M3: no infinities, 0x7f and 0xff are NaN.
func F8E4M3ToF32(b byte) float32 {
	sign := uint32(b&0x80) << 24
	if b&0x7f == 0x7f {
		return math.Float32frombits(sign | 0x7fc00000)
	}
	return math.Float32frombits(sign | math.Float32bits(math.Float32frombits(uint32(b&0x7f)<<20)*0x1p120))
}

// E8M0ToF32 converts an exponent of 8 bits: 2**(b-127), 255 is NaN.
func E8M0ToF32(b byte) float32 {
	switch b {
	case 0:
		return 0x1p-127
	case 255:
		return float32(math.NaN())
	}
	return math.Float32frombits(uint32(b) << 23)
}
