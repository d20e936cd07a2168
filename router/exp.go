package router

import "math"

// exp returns e to the x, as 2^(t/16) with t = 16x/ln 2.
//
// kernels.Exp is the same function to an ulp and is made for SIMD. One value at a time it takes 28 ns, this takes 4,
// and a sigmoid router needs every expert's score for every token.
func exp(x float32) float32 { return pow2(clamp(float64(x) * perSixteenth)) }

const perSixteenth = 16 / math.Ln2

// clamp returns t, brought into the range of pow2. At its ends 2^(t/16) has long become 0 or infinite.
func clamp(t float64) float64 {
	if t*t > 2400*2400 { // one comparison, and not true of NaN
		return math.Copysign(2400, t)
	}
	return t
}

// pow2 returns 2^(t/16), |t| <= 2400. With t = k + r, k whole and |r| <= 1/2, that is 2^(k/16), an entry of
// sixteenths and an exponent, times e^(r ln 2/16), the exponential series to r³, which leaves 2⁻²⁶ of the result.
// float64 makes the result good to 0.7 ulp, down to the subnormal ones. Products are converted before they are
// added, here and elsewhere, so that no compiler may fuse the two.
func pow2(t float64) float32 {
	const (
		whole = 3 << 51 // added, it rounds to a whole number and leaves it in the low bits
		c     = math.Ln2 / 16
	)
	k := t + whole
	r := t - (k - whole)
	p := float64(r*(c*c*c/6)) + c*c/2
	p = float64(r*p) + c
	b := math.Float64bits(k)
	s := math.Float64frombits(sixteenths[b%16] + b<<48)
	return float32(s + float64(s*float64(r*p)))
}

// sixteenths holds the bits of 2^(i/16) less i<<48: adding k<<48, whose low four bits are i, makes them 2^(k/16).
var sixteenths = [16]uint64{
	0x3ff0000000000000, 0x3fefb5586cf9890f, 0x3fef72b83c7d517b, 0x3fef387a6e756238,
	0x3fef06fe0a31b715, 0x3feedea64c123422, 0x3feebfdad5362a27, 0x3feeab07dd485429,
	0x3feea09e667f3bcd, 0x3feea11473eb0187, 0x3feeace5422aa0db, 0x3feec49182a3f090,
	0x3feee89f995ad3ad, 0x3fef199bdd85529c, 0x3fef5818dcfba487, 0x3fefa4afa2a490da,
}

// sigmoid sets dst[i] to 1/(1+exp(-x[i])). dst may be x.
func sigmoid(dst, x []float32) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = 1 / (1 + pow2(clamp(float64(v)*-perSixteenth))) // exp itself is too long to be inlined
	}
}

// softmax sets dst[i] to exp(x[i]-max) over the sum of them all. dst may be x.
// The sum runs in four lanes, i modulo 4, added as (0+2) + (1+3).
func softmax(dst, x []float32) {
	dst = dst[:len(x)]
	m := negInf
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	var lane [4]float32
	for i, v := range x {
		e := pow2(clamp(float64(v-m) * perSixteenth))
		dst[i] = e
		lane[i%4] += e
	}
	sum := (lane[0] + lane[2]) + (lane[1] + lane[3])
	for i := range dst {
		dst[i] /= sum
	}
}
