package kernels

import "math"

// FMA returns a*b+c rounded once to float32. The product of two float32 is
// exact in float64; only the sum can be rounded twice, and that goes wrong only
// if the float64 sum lies exactly between two float32 values.
func FMA(a, b, c float32) float32 {
	p := float64(a) * float64(b)
	s := p + float64(c)
	if math.Float64bits(s)&(1<<28-1) != 0 {
		return float32(s)
	}
	return fmaSlow(p, float64(c), s)
}

// fmaSlow rounds p+c to odd in float64 first, which makes the second rounding
// harmless (Boldo and Melquiond, 2008). s is the rounded sum.
func fmaSlow(p, c, s float64) float32 {
	if s == 0 || math.IsInf(s, 0) || s != s {
		return float32(s)
	}
	t := s - p // Knuth's two-sum: err is what the rounding of s lost
	err := float64(p-float64(s-t)) + float64(c-t)
	if err != 0 {
		b := math.Float64bits(s)
		if (err > 0) == (s > 0) {
			b++ // the true sum lies beyond s: s|1, away from zero
		} else {
			b-- // between s and zero
		}
		s = math.Float64frombits(b) // s ended in zeros, so its neighbours are odd
	}
	return float32(s)
}
