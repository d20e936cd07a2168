package kernels

import (
	"math"
	"testing"
)

// ulp returns the distance of float32 values at |x|.
func ulp(x float64) float64 {
	_, e := math.Frexp(x)
	return math.Ldexp(1, max(e-24, -149))
}

// TestExp compares Exp with float64's over the whole range: all exponents, a prime
// step through the mantissas.
func TestExp(t *testing.T) {
	worst, at := 0.0, float32(0)
	for u := uint64(0); u < 1<<32; u += 1009 {
		x := math.Float32frombits(uint32(u))
		got, want := Exp(x), math.Exp(float64(x))
		switch {
		case x != x:
			if got == got {
				t.Fatalf("Exp(NaN) = %v", got)
			}
			continue
		case want > math.MaxFloat32+ulp(math.MaxFloat32)/2 || math.IsInf(want, 0):
			if !math.IsInf(float64(got), 1) {
				t.Fatalf("Exp(%v) = %v, want Inf", x, got)
			}
			continue
		}
		if e := math.Abs(float64(got)-want) / ulp(want); e > worst {
			worst, at = e, x
		}
	}
	t.Logf("greatest error %.4f ulp at %v", worst, at)
	if worst > 1 {
		t.Errorf("Exp(%v) is %.3f ulp wrong, want at most 1", at, worst)
	}
}

// TestExpEnds checks the limits where the result becomes infinite and zero, and
// its neighbours.
func TestExpEnds(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct{ x, want float32 }{
		{0, 1}, {float32(math.Copysign(0, -1)), 1}, {inf, inf}, {-inf, 0},
		{expMax, float32(math.Exp(float64(float32(expMax))))}, {math.Nextafter32(expMax, 100), inf},
		{math.Nextafter32(expMin, -200), 0}, {-103.97, 0x1p-149}, {0x1p-149, 1}, {-0x1p-26, 1},
	} {
		if got := Exp(c.x); got != c.want {
			t.Errorf("Exp(%v) = %x, want %x", c.x, got, c.want)
		}
	}
}
