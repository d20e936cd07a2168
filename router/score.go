package router

import "math"

// score writes the scores of a token by which f chooses, before any bias, to dst (E). Where f chooses by the logits
// themselves it returns those.
func (f Score) score(dst, logits []float32) []float32 {
	switch f {
	case Softmax:
		softmax(dst, logits)
	case Sigmoid, SigmoidSoftmax:
		sigmoid(dst, logits)
	case SqrtSoftplus:
		for i, z := range logits {
			dst[i] = sqrtSoftplus(z)
		}
	default:
		return logits
	}
	return dst
}

// sqrtSoftplus returns the square root of log(1 + exp(z)), as max(z, 0) + log1p(exp(-|z|)), which neither overflows
// nor loses the small values.
func sqrtSoftplus(z float32) float32 {
	a := z
	if a < 0 {
		a = -a
	}
	s := log1p(exp(-a))
	if z > 0 {
		s += z
	}
	return float32(math.Sqrt(float64(s))) // correctly rounded, on every CPU
}

// log1p returns log(1+u) for u in [0, 1], as 2 artanh(t) with t = u/(2+u), at most 1/3: the odd series
// t + t³/3 + t⁵/5 ... has fallen below 2⁻³⁰ of its sum after the term in t¹⁷.
func log1p(u float32) float32 {
	t := float64(u) / (2 + float64(u))
	t2 := t * t
	s := float64(t2*(1.0/17)) + 1.0/15
	s = float64(t2*s) + 1.0/13
	s = float64(t2*s) + 1.0/11
	s = float64(t2*s) + 1.0/9
	s = float64(t2*s) + 1.0/7
	s = float64(t2*s) + 1.0/5
	s = float64(t2*s) + 1.0/3
	s = float64(t2*s) + 1
	return float32(2 * float64(t*s))
}
