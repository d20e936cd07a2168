package router

import (
	"fmt"
	"math"
)

// Stats counts what a router chooses: feed it from a route observer. It takes 8 bytes for each pair of experts, and
// one goroutine at a time; [Stats.Merge] joins those of several.
//
// With n(e) the number of times expert e was chosen, N their sum over the E experts, and T the number of tokens:
//
//	share    f(e) = n(e)/N
//	entropy  H = -Σ f(e) ln f(e), in nats, from 0 (always the same expert) to ln E (all alike)
//	balance  max n(e) / (N/E), from 1 (all alike) to E; DeepSeek-V3's MaxVio is this less 1
//	lift     T n(a,b) / (n(a) n(b)), 1 for a and b chosen independently of each other; n(a,b) is the
//	         number of tokens sent to both
//
// They describe, so unlike routes they are not promised to have the same bits on every CPU.
type Stats struct {
	tokens int64
	total  int64
	load   []int64   // E
	weight []float64 // E
	pairs  []int64   // E(E-1)/2: a < b at b(b-1)/2 + a
}

// NewStats returns empty statistics of a router over so many experts.
func NewStats(experts int) *Stats {
	experts = max(experts, 0)
	return &Stats{load: make([]int64, experts), weight: make([]float64, experts), pairs: make([]int64, experts*(experts-1)/2)}
}

// Add counts one token: the ids it was sent to and their weights, of which there may be fewer. Ids out of range, such
// as the -1 of a dropped choice, are passed over. Add allocates nothing.
func (s *Stats) Add(ids []int32, weights []float32) {
	s.tokens++
	for i, b := range ids {
		if !s.has(int(b)) {
			continue
		}
		s.total++
		s.load[b]++
		if i < len(weights) {
			s.weight[b] += float64(weights[i])
		}
		for _, a := range ids[:i] {
			if s.has(int(a)) && a != b {
				s.pairs[pair(int(a), int(b))]++
			}
		}
	}
}

func (s *Stats) has(expert int) bool { return expert >= 0 && expert < len(s.load) }

func pair(a, b int) int {
	if a > b {
		a, b = b, a
	}
	return b*(b-1)/2 + a
}

// Merge adds what o has counted. An error wraps ErrShape: the two are of different numbers of experts.
func (s *Stats) Merge(o *Stats) error {
	if len(s.load) != len(o.load) {
		return fmt.Errorf("%w: statistics: want those of %d experts, found %d", ErrShape, len(s.load), len(o.load))
	}
	s.tokens += o.tokens
	s.total += o.total
	for e := range s.load {
		s.load[e] += o.load[e]
		s.weight[e] += o.weight[e]
	}
	for i, n := range o.pairs {
		s.pairs[i] += n
	}
	return nil
}

// Reset forgets everything but the number of experts.
func (s *Stats) Reset() {
	s.tokens, s.total = 0, 0
	clear(s.load)
	clear(s.weight)
	clear(s.pairs)
}

// Experts returns the number of experts, Tokens the number of tokens counted.
func (s *Stats) Experts() int  { return len(s.load) }
func (s *Stats) Tokens() int64 { return s.tokens }

// Load returns how often an expert was chosen; 0 if there is no such expert.
func (s *Stats) Load(expert int) int64 {
	if !s.has(expert) {
		return 0
	}
	return s.load[expert]
}

// Weight returns the sum of the weights an expert was chosen with; 0 if there is no such expert.
func (s *Stats) Weight(expert int) float64 {
	if !s.has(expert) {
		return 0
	}
	return s.weight[expert]
}

// Share returns the expert's part of all choices; 0 before the first.
func (s *Stats) Share(expert int) float64 {
	if s.total == 0 {
		return 0
	}
	return float64(s.Load(expert)) / float64(s.total)
}

// Entropy returns the entropy of the shares in nats; 0 before the first choice.
func (s *Stats) Entropy() float64 {
	var h float64
	for e := range s.load {
		if f := s.Share(e); f > 0 {
			h -= f * math.Log(f)
		}
	}
	return h
}

// Balance returns the greatest load over the mean load; 0 before the first choice.
func (s *Stats) Balance() float64 {
	var most float64
	for e := range s.load {
		most = max(most, s.Share(e))
	}
	return most * float64(len(s.load))
}

// Together returns the number of tokens sent to both a and b, which differ; 0 if there are no such experts.
func (s *Stats) Together(a, b int) int64 {
	if !s.has(a) || !s.has(b) || a == b {
		return 0
	}
	return s.pairs[pair(a, b)]
}

// Lift returns how many times as often a and b were chosen together as if they had been chosen independently; 0 if
// either never was.
func (s *Stats) Lift(a, b int) float64 {
	if s.Load(a) == 0 || s.Load(b) == 0 {
		return 0
	}
	return float64(s.Together(a, b)) * float64(s.tokens) / (float64(s.load[a]) * float64(s.load[b]))
}
