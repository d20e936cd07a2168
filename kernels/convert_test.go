package kernels

import (
	"math"
	"testing"
)

// decode reads a small float of e exponent and m mantissa bits by the definition.
func decode(bits uint32, e, m int, inf bool) float64 {
	sign := 1.0
	if bits>>(e+m)&1 == 1 {
		sign = -1
	}
	exp, man := int(bits>>m&(1<<e-1)), float64(bits&(1<<m-1))
	bias := 1<<(e-1) - 1
	switch {
	case inf && exp == 1<<e-1 && man == 0:
		return math.Inf(int(sign))
	case inf && exp == 1<<e-1:
		return math.NaN()
	case exp == 0:
		return sign * math.Ldexp(man, 1-bias-m)
	}
	return sign * math.Ldexp(1+math.Ldexp(man, -m), exp-bias)
}

func sameFloat(t *testing.T, got float32, want float64, what string, bits int) {
	t.Helper()
	if w := float32(want); math.Float32bits(got) != math.Float32bits(w) && (got == got || w == w) {
		t.Fatalf("%s(%#x) = %v, want %v", what, bits, got, w)
	}
}

func TestDecodeAll(t *testing.T) {
	for i := range 1 << 16 {
		sameFloat(t, F16ToF32(uint16(i)), decode(uint32(i), 5, 10, true), "F16ToF32", i)
		sameFloat(t, BF16ToF32(uint16(i)), decode(uint32(i), 8, 7, true), "BF16ToF32", i)
	}
	for i := range 256 {
		want := decode(uint32(i), 4, 3, false)
		if i&127 == 127 {
			want = math.NaN()
		}
		sameFloat(t, F8E4M3ToF32(byte(i)), want, "F8E4M3ToF32", i)
		want = math.Ldexp(1, i-127)
		if i == 255 {
			want = math.NaN()
		}
		sameFloat(t, E8M0ToF32(byte(i)), want, "E8M0ToF32", i)
	}
}

// TestEncodeAll checks rounding at every value of a 16-bit format, halfway between
// it and the next, and just beside that.
func TestEncodeAll(t *testing.T) {
	for _, f := range []struct {
		name   string
		encode func(float32) uint16
		decode func(uint16) float32
		inf    uint16
	}{{"F32ToF16", F32ToF16, F16ToF32, 0x7c00}, {"F32ToBF16", F32ToBF16, BF16ToF32, 0x7f80}} {
		for i := uint16(0); i < f.inf; i++ {
			lo := f.decode(i)
			next := float64(f.decode(i + 1))
			if i+1 == f.inf { // where the next value would be
				next = 2*float64(lo) - float64(f.decode(i-1))
			}
			// Halfway needs a bit more than the format has; float32 holds it but for
			// the least subnormals of bfloat16, which are float32's multiples of 2**16.
			half := float32((float64(lo) + next) / 2)
			even := i + i&1
			for _, c := range []struct {
				x    float32
				want uint16
			}{{lo, i}, {half, even}, {math.Nextafter32(half, 0), i}, {math.Nextafter32(half, float32(math.Inf(1))), i + 1}} {
				if got := f.encode(c.x); got != c.want {
					t.Fatalf("%s(%x) = %#x, want %#x", f.name, c.x, got, c.want)
				}
				if got := f.encode(-c.x); got != c.want|0x8000 {
					t.Fatalf("%s(%x) = %#x, want %#x", f.name, -c.x, got, c.want|0x8000)
				}
			}
		}
		inf := float32(math.Inf(1))
		if f.encode(inf) != f.inf || f.encode(-inf) != f.inf|0x8000 || f.encode(math.MaxFloat32) != f.inf {
			t.Errorf("%s: infinities, or what rounds to them", f.name)
		}
		for _, bits := range []uint32{0x7fc00000, 0x7f800001, 0xffffffff, 0xff800001} {
			if x := f.decode(f.encode(math.Float32frombits(bits))); x == x {
				t.Errorf("%s: NaN %#x became %v", f.name, bits, x)
			}
		}
	}
}
