package router

import "math"

// exp32 returns e to the x to within 2 units in the last place, from one polynomial in one order of operations.
func exp32(x float32) float32 {
	const (
		log2e = 1.44269504088896341
		ln2hi = 0.693359375
		ln2lo = -2.12194440e-4
		magic = 3 << 22 // adding it rounds to a whole number
	)
	switch {
	case x != x:
		return x
	case x > 88.8:
		return float32(math.Inf(1))
	case x < -104:
		return 0
	}
	n := float32(float32(float32(x*log2e)+magic) - magic)
	r := x - float32(n*ln2hi)
	r -= float32(n * ln2lo)
	p := float32(1.9875691500e-4)
	p = float32(p*r) + 1.3981999507e-3
	p = float32(p*r) + 8.3334519073e-3
	p = float32(p*r) + 4.1665795894e-2
	p = float32(p*r) + 1.6666665459e-1
	p = float32(p*r) + 5.0000001201e-1
	p = float32(p*float32(r*r)) + r + 1
	h := int32(n) / 2
	return p * pow2(h) * pow2(int32(n)-h)
}

func pow2(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// sigmoid sets dst[i] to 1/(1+exp(-x[i])).
func sigmoid(dst, x []float32) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = 1 / (1 + exp32(-v))
	}
}

// softmax sets dst to exp(x-max) over their sum.
func softmax(dst, x []float32) {
	dst = dst[:len(x)]
	m := negInf
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	var sum float32
	for i, v := range x {
		dst[i] = exp32(v - m)
		sum += dst[i]
	}
	for i := range dst {
		dst[i] /= sum
	}
}
