package kernels

import "math"

const (
	expMax = 88.72283  // above: +Inf
	expMin = -103.9721 // below: 0
	log2e  = 1.44269504
	ln2Hi  = 0.693359375 // 9 bits: n*ln2Hi is exact
	ln2Lo  = -2.12194440e-4
)

// Exp returns e**x: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial of degree
// 6 for e**r (minimax, relative error under 2**-26), scaled by 2**n in two steps
// so that subnormal results round once. At most 1 ulp from the true value.
func Exp(x float32) float32 {
	if x != x {
		return x
	}
	if x > expMax {
		return float32(math.Inf(1))
	}
	if x < expMin {
		return 0
	}
	n := float32(math.RoundToEven(float64(float32(x * log2e))))
	r := FMA(n, -ln2Hi, x)
	r = FMA(n, -ln2Lo, r)
	p := float32(1.9875691500e-4)
	p = FMA(p, r, 1.3981999507e-3)
	p = FMA(p, r, 8.3334519073e-3)
	p = FMA(p, r, 4.1665795894e-2)
	p = FMA(p, r, 1.6666665459e-1)
	p = FMA(p, r, 5.0000001201e-1)
	p = FMA(p, float32(r*r), r)
	p = p + 1
	h := int32(n) >> 1 // 2**n as 2**h * 2**(n-h): both factors are normal
	return float32(float32(p*pow2(h)) * pow2(int32(n)-h))
}

// pow2 returns 2**e for -126 <= e <= 127.
func pow2(e int32) float32 { return math.Float32frombits(uint32(e+127) << 23) }

// Sigmoid returns 1/(1+e**-x).
func Sigmoid(x float32) float32 { return 1 / (1 + Exp(-x)) }

// SiLU returns x*sigmoid(x), as x/(1+e**-x).
func SiLU(x float32) float32 { return x / (1 + Exp(-x)) }

// Softmax sets dst[i] = e**(x[i]-max) / sum; the sum runs in 16 lanes like a dot
// product. dst and x may be the same slice.
func Softmax(dst, x []float32) {
	if len(dst) != len(x) {
		panic("kernels: Softmax: lengths differ")
	}
	if len(x) == 0 {
		return
	}
	active.softmax(dst, x)
}

func softmax(dst, x []float32) {
	m := maximum(x)
	sum := expSum(dst, x, m)
	for i := range dst {
		dst[i] /= sum
	}
}

// maximum returns the greatest value of x, ignoring NaN; -Inf if there is none,
// and +0 for any zero.
func maximum(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	return m + 0
}

// expSum sets dst[i] = e**(x[i]-m) and returns the sum in 16 lanes.
func expSum(dst, x []float32, m float32) float32 {
	var lane [16]float32
	for i, v := range x {
		e := Exp(v - m)
		dst[i] = e
		lane[i%16] += e
	}
	return tree(&lane)
}
