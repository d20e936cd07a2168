package testkit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// SameBits fails the test at the first value whose bits differ from want's.
// Every NaN equals every other.
func SameBits(tb testing.TB, got, want []float32, what string, args ...any) {
	tb.Helper()
	if len(got) != len(want) {
		tb.Fatalf("%s: %d values, want %d", fmt.Sprintf(what, args...), len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if math.Float32bits(g) != math.Float32bits(w) && (g == g || w == w) {
			tb.Fatalf("%s: [%d] = %v (%08x), want %v (%08x)", fmt.Sprintf(what, args...),
				i, g, math.Float32bits(g), w, math.Float32bits(w))
		}
	}
}

// Kind chooses the values that [Fill] writes.
type Kind int

const (
	Normal  Kind = iota // N(0, 1)
	Wide                // any exponent that keeps products finite
	Tiny                // subnormals and values near them
	Huge                // sums overflow
	Zeros               // +0 and -0
	Special             // N(0, 1) with NaN, Inf and the greatest finite here and there
	Bits                // any 32 bits
	kinds
)

func (k Kind) String() string {
	return [...]string{"normal", "wide", "tiny", "huge", "zeros", "special", "bits"}[k]
}

// Kinds returns all kinds of values.
func Kinds() []Kind {
	all := make([]Kind, kinds)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// Fill writes random values of a kind.
func Fill(r *rand.Rand, dst []float32, k Kind) {
	for i := range dst {
		dst[i] = value(r, k)
	}
}

func value(r *rand.Rand, k Kind) float32 {
	switch n := float32(r.NormFloat64()); k {
	case Wide:
		return float32(math.Ldexp(float64(n), r.IntN(120)-60))
	case Tiny:
		return float32(math.Ldexp(float64(n), -r.IntN(50)-100))
	case Huge:
		return float32(math.Ldexp(float64(n), r.IntN(8)+118))
	case Zeros:
		return float32(math.Copysign(0, float64(n)))
	case Special:
		switch r.IntN(40) {
		case 0:
			return float32(math.NaN())
		case 1:
			return float32(math.Inf(int(r.Int32())))
		case 2:
			return float32(math.Copysign(math.MaxFloat32, float64(n)))
		}
		return n
	case Bits:
		return math.Float32frombits(r.Uint32())
	default:
		return n
	}
}
