package moe

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPick: the values taken are the greatest ones, whatever the order and however
// many are equal; with all of them distinct, or NaN, the choice is unique.
func TestPick(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	var p picker
	for trial := range 3000 {
		n := 1 + rnd.IntN(300)
		k := 1 + rnd.IntN(n)
		x := make([]float32, n)
		for i := range x {
			switch trial % 4 {
			case 0:
				x[i] = float32(rnd.NormFloat64())
			case 1:
				x[i] = float32(rnd.IntN(3) - 1) // many equal ones
			case 2:
				x[i] = float32(i) // sorted
			case 3:
				x[i] = []float32{0, float32(math.Copysign(0, -1)), float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), -1}[rnd.IntN(6)]
			}
		}
		got := make([]int32, k)
		p.pick(got, x, 64)
		taken := make([]bool, n)
		least := uint32(math.MaxUint32)
		for i, g := range got {
			if g < 0 || int(g) >= n || (i > 0 && got[i-1] >= g) {
				t.Fatalf("%d of %d: %v: not ascending indices", k, n, got)
			}
			taken[g] = true
			least = min(least, ordered(x[g]))
		}
		for i, v := range x {
			if !taken[i] && ordered(v) > least {
				t.Fatalf("%d of %d: %v left out, which is more than the least taken", k, n, v)
			}
		}
		again := make([]int32, k)
		new(picker).pick(again, x, 64)
		if !slices.Equal(again, got) {
			t.Fatalf("%v the first time, then %v", got, again)
		}
	}
}

// TestPickEqual holds the choice among equal values against what the reference's
// selection takes: 12 of 17 scores, 0 and 2 of three zeros.
func TestPickEqual(t *testing.T) {
	x := []float32{0, 2.2, -3, 0, 5.8, 0, -1.4, 3.65, 1.8, -2.6, 5.84, 3.67, 0.01, 4.3, -2, 2.7, 0.7}
	got := make([]int32, 12)
	new(picker).pick(got, x, 64)
	if want := []int32{1, 3, 4, 5, 7, 8, 10, 11, 12, 13, 15, 16}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
