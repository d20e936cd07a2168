package moe

import "math"

// Package math's Sin, Log and Exp differ in their last bits between
// architectures, by assembly and by fused multiply-adds. These do not: every
// product is rounded by an explicit conversion before it is added.

// sinCos returns the sine and cosine of x >= 0, x < 2**30, to about 1e-16: x is
// reduced by a multiple of pi/2 in three parts, then Taylor polynomials on
// [-pi/4, pi/4].
func sinCos(x float64) (sin, cos float64) {
	const (
		p1 = 1.57079632673412561417e+00 // 33 bits of pi/2
		p2 = 6.07710050630396597660e-11 // 33 bits more
		p3 = 2.02226624879595063154e-21
	)
	n := math.Floor(float64(x*(2/math.Pi)) + 0.5)
	r := x - float64(n*p1)
	r -= float64(n * p2)
	r -= float64(n * p3)
	z := float64(r * r)
	s := -1.0 / 1307674368000
	for _, c := range [...]float64{1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6} {
		s = float64(s*z) + c
	}
	s = r + float64(float64(r*z)*s)
	c := 1.0 / 20922789888000
	for _, k := range [...]float64{-1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24, -0.5} {
		c = float64(c*z) + k
	}
	c = 1 + float64(z*c)
	switch int64(n) & 3 {
	case 0:
		return s, c
	case 1:
		return c, -s
	case 2:
		return -s, -c
	}
	return -c, s
}

// ln returns the natural logarithm of x > 0: x = 2**e m, and with
// t = (m-1)/(m+1), ln m = 2(t + t**3/3 + t**5/5 + ...).
func ln(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = m*2, e-1
	}
	t := (m - 1) / (m + 1)
	z := float64(t * t)
	var s float64
	for k := 25; k >= 1; k -= 2 {
		s = float64(s*z) + 1/float64(k)
	}
	return float64(float64(e)*math.Ln2) + float64(2*float64(t*s))
}

// power returns x**y for x > 0, as e**(y ln x): the whole powers of 2 apart, then
// a Taylor series.
func power(x, y float64) float64 {
	v := float64(y * ln(x))
	n := math.Floor(float64(v/math.Ln2) + 0.5)
	r := v - float64(n*6.93147180369123816490e-01)
	r -= float64(n * 1.90821492927058770002e-10)
	s := 1.0
	for k := 18; k >= 1; k-- {
		s = 1 + float64(s*r)/float64(k)
	}
	return math.Ldexp(s, int(n))
}
