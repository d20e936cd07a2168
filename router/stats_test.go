package router

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12*max(1, math.Abs(b)) }

func TestStatsByHand(t *testing.T) {
	s := NewStats(4)
	if s.Entropy() != 0 || s.Balance() != 0 || s.Share(0) != 0 || s.Lift(0, 1) != 0 {
		t.Error("empty statistics are not 0")
	}
	s.Add([]int32{0, 1}, []float32{.75, .25})
	s.Add([]int32{1, 0}, []float32{.5, .5})
	s.Add([]int32{0, 2}, []float32{1})
	s.Add([]int32{0, -1, 4}, nil) // a dropped choice, and one that is none of these experts
	if s.Experts() != 4 || s.Tokens() != 4 {
		t.Errorf("%d experts, %d tokens", s.Experts(), s.Tokens())
	}
	for e, want := range []struct {
		load          int64
		share, weight float64
	}{{4, 4. / 7, 2.25}, {2, 2. / 7, .75}, {1, 1. / 7, 0}, {}} {
		if s.Load(e) != want.load || !near(s.Share(e), want.share) || !near(s.Weight(e), want.weight) {
			t.Errorf("expert %d: load %d, share %v, weight %v, want %+v", e, s.Load(e), s.Share(e), s.Weight(e), want)
		}
	}
	if !near(s.Balance(), 16./7) {
		t.Errorf("balance %v", s.Balance())
	}
	if s.Together(0, 1) != 2 || s.Together(1, 0) != 2 || s.Together(0, 2) != 1 || s.Together(1, 2) != 0 || s.Together(0, 0) != 0 {
		t.Error("pairs")
	}
	if !near(s.Lift(0, 1), 1) || s.Lift(1, 2) != 0 || s.Lift(0, 3) != 0 {
		t.Errorf("lifts %v, %v, %v", s.Lift(0, 1), s.Lift(1, 2), s.Lift(0, 3))
	}
	for _, e := range []int{-1, 4} {
		if s.Load(e) != 0 || s.Share(e) != 0 || s.Weight(e) != 0 || s.Together(e, 0) != 0 || s.Lift(0, e) != 0 {
			t.Errorf("expert %d counts", e)
		}
	}
	s.Reset()
	if s.Tokens() != 0 || s.Load(0) != 0 || s.Weight(0) != 0 || s.Together(0, 1) != 0 || s.Share(0) != 0 {
		t.Error("not forgotten")
	}
}

// Random routes, in two halves merged, against gonum's entropy and plain counting.
func TestStatsAgainstGonum(t *testing.T) {
	const experts, k, tokens = 12, 3, 500
	rng := rand.New(rand.NewPCG(3, 4))
	halves := [2]*Stats{NewStats(experts), NewStats(experts)}
	count, both := make([]float64, experts), [experts][experts]int64{}
	for i := range tokens {
		ids := make([]int32, 0, k)
		for _, e := range rng.Perm(experts)[:k] {
			ids = append(ids, int32(e*e/experts)) // the low ones more often, some twice
		}
		halves[i%2].Add(ids, nil)
		for i, a := range ids {
			count[a]++
			for _, b := range ids[i+1:] {
				if a != b {
					both[a][b]++
					both[b][a]++
				}
			}
		}
	}
	s := halves[0]
	if err := s.Merge(halves[1]); err != nil {
		t.Fatal(err)
	}
	if err := s.Merge(NewStats(5)); !errors.Is(err, ErrShape) {
		t.Errorf("statistics of another router: %v", err)
	}
	p, most := make([]float64, experts), 0.0
	for e := range p {
		p[e] = count[e] / (k * tokens)
		most = max(most, count[e])
	}
	if want := stat.Entropy(p); !near(s.Entropy(), want) {
		t.Errorf("entropy %v, want %v", s.Entropy(), want)
	}
	if want := most / stat.Mean(count, nil); !near(s.Balance(), want) {
		t.Errorf("balance %v, want %v", s.Balance(), want)
	}
	for a := range experts {
		for b := range experts {
			if s.Together(a, b) != both[a][b] {
				t.Errorf("%d with %d: %d, want %d", a, b, s.Together(a, b), both[a][b])
			}
		}
	}
}
