package moe

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
)

// logsOf are the logits of probabilities, in no order and shifted.
func logsOf(probs ...float64) []float32 {
	l := make([]float32, len(probs))
	for i, p := range probs {
		l[i] = float32(math.Log(p) + 3)
	}
	return l
}

// drawn returns how often each token is drawn in n independent draws.
func drawn(t *testing.T, opt Sampling, logits []float32, n int) []float64 {
	t.Helper()
	s := newSampler(opt, nil, nil)
	freq := make([]float64, len(logits))
	for range n {
		id, err := s.choose(logits)
		require.NoError(t, err)
		freq[id]++
	}
	for i := range freq {
		freq[i] /= float64(n)
	}
	return freq
}

// The frequencies of draws are the probabilities that the options' definitions
// give, worked out here by hand.
func TestSamplerDistribution(t *testing.T) {
	// In order of id. Entropy of p in nats: 1.5048; surprise of each: 2.303, 0.916,
	// 2.996, 1.609, 1.897; those nearest to the entropy: ids 3, 4, 1, 0, 2.
	p := []float64{0.10, 0.40, 0.05, 0.20, 0.15, 0.10}
	norm := func(w ...float64) []float64 {
		sum := 0.0
		for _, x := range w {
			sum += x
		}
		for i := range w {
			w[i] /= sum
		}
		return w
	}
	for _, c := range []struct {
		name string
		opt  Sampling
		want []float64
	}{
		{"greedy", Sampling{}, norm(0, 1, 0, 0, 0, 0)},
		{"plain", Sampling{Temperature: 1}, norm(p...)},
		{"hot", Sampling{Temperature: 2}, norm(math.Sqrt(.1), math.Sqrt(.4), math.Sqrt(.05), math.Sqrt(.2), math.Sqrt(.15), math.Sqrt(.1))},
		{"cold", Sampling{Temperature: .5}, norm(.01, .16, .0025, .04, .0225, .01)},
		{"nearly greedy", Sampling{Temperature: 1e-6}, norm(0, 1, 0, 0, 0, 0)},
		{"top-k", Sampling{Temperature: 1, TopK: 3}, norm(0, .4, 0, .2, .15, 0)},
		{"top-k tie", Sampling{Temperature: 1, TopK: 4}, norm(.1, .4, 0, .2, .15, 0)}, // of ids 0 and 5 the lower
		{"top-k 1", Sampling{Temperature: 1, TopK: 1}, norm(0, 1, 0, 0, 0, 0)},
		{"top-k all", Sampling{Temperature: 1, TopK: 99}, norm(p...)},
		{"top-p", Sampling{Temperature: 1, TopP: .59}, norm(0, .4, 0, .2, 0, 0)},
		{"top-p more", Sampling{Temperature: 1, TopP: .61}, norm(0, .4, 0, .2, .15, 0)},
		{"top-p least", Sampling{Temperature: 1, TopP: 1e-6}, norm(0, 1, 0, 0, 0, 0)},
		{"top-p all", Sampling{Temperature: 1, TopP: 1}, norm(p...)},
		{"min-p", Sampling{Temperature: 1, MinP: .3}, norm(0, .4, 0, .2, .15, 0)},
		{"min-p all but the last", Sampling{Temperature: 1, MinP: .2}, norm(.1, .4, 0, .2, .15, .1)},
		{"typical", Sampling{Temperature: 1, Typical: .19}, norm(0, 0, 0, 1, 0, 0)},
		{"typical more", Sampling{Temperature: 1, Typical: .34}, norm(0, 0, 0, .2, .15, 0)},
		{"typical without the likeliest", Sampling{Temperature: 1, Typical: .7}, norm(0, .4, 0, .2, .15, 0)},
		{"both", Sampling{Temperature: 1, TopK: 3, TopP: .7}, norm(0, .4, 0, .2, 0, 0)}, // .4/.75 + .2/.75 = .8
		{"truncated, then hot", Sampling{Temperature: 2, TopP: .59}, norm(0, math.Sqrt(.4), 0, math.Sqrt(.2), 0, 0)},
		{"bias", Sampling{Temperature: 1, Bias: map[int32]float32{1: float32(math.Inf(-1)), 2: float32(math.Log(4))}}, norm(.1, 0, .2, .2, .15, .1)},
		{"hook", Sampling{Temperature: 1, Hook: func(_ []int32, l []float32) error { l[1] = float32(math.Inf(-1)); return nil }}, norm(.1, 0, .05, .2, .15, .1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			const n = 40000
			got := drawn(t, c.opt, logsOf(p...), n)
			for i, w := range c.want {
				if w == 0 {
					require.Zero(t, got[i], "token %d", i)
				}
				require.InDelta(t, w, got[i], 5*math.Sqrt(w*(1-w)/n), "token %d", i) // five standard deviations
			}
		})
	}
}

// The tokens drawn for a seed are these, on every machine: a change of them breaks
// every text that was made by seed before.
func TestSamplerSeeds(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	logits := make([]float32, 5000)
	for i := range logits {
		logits[i] = float32(rng.IntN(4096))/512 - 4
	}
	for _, c := range []struct {
		opt  Sampling
		want string
	}{
		{Sampling{Temperature: 0.8, Seed: 1}, "1c34a2ed"},
		{Sampling{Temperature: 0.8, Seed: 2}, "cb398792"},
		{Sampling{Temperature: 0.3, TopK: 40, TopP: 0.9, MinP: 0.05, Seed: 1}, "0e9d73a9"},
		{Sampling{Temperature: 1.1, Typical: 0.8, RepeatPenalty: 1.1, FrequencyPenalty: .2, PresencePenalty: .3, Seed: 7}, "fee7f5da"},
		{Sampling{Temperature: 1, Mirostat: &Mirostat{5, .1}, Seed: 7}, "dd67d62b"},
	} {
		h := fnv.New32a()
		s := newSampler(c.opt, []int32{1, 2, 3}, nil)
		for range 200 {
			id, err := s.choose(logits)
			require.NoError(t, err)
			fmt.Fprintln(h, id)
		}
		require.Equal(t, c.want, fmt.Sprintf("%08x", h.Sum32()), "%+v", c.opt)
	}
}

func TestSamplerPenalties(t *testing.T) {
	logits := []float32{2, -2, 1, 0, 3}
	seen := func(opt Sampling, prompt []int32, made ...int32) (out []float32) {
		opt.Hook = func(g []int32, l []float32) error {
			require.Equal(t, made, slices.Clone(g))
			out = slices.Clone(l)
			return nil
		}
		s := newSampler(opt, prompt, map[int32]bool{3: true})
		for _, id := range made {
			s.made = append(s.made, id)
			if s.count != nil {
				s.count[id]++
			}
			if s.seen != nil {
				s.seen[id] = true
			}
		}
		_, err := s.choose(logits)
		require.NoError(t, err)
		require.Equal(t, []float32{2, -2, 1, 0, 3}, logits, "the model's logits stay")
		return out
	}
	require.Equal(t, []float32{1, -4, 1, 0, 3}, seen(Sampling{RepeatPenalty: 2}, []int32{0, 1}, 1, 1))
	require.Equal(t, []float32{2, -4, 1, 0, 3}, seen(Sampling{RepeatPenalty: 2, RepeatLast: 2}, []int32{0, 1}, 1))
	require.Equal(t, []float32{2, -4, 1, 0, 3}, seen(Sampling{RepeatPenalty: 2, RepeatLast: 2}, []int32{0, 0}, 1, 1))
	require.Equal(t, []float32{1, -4, 1, 0, 3}, seen(Sampling{RepeatPenalty: 2, RepeatLast: 99}, []int32{0}, 1))
	require.Equal(t, []float32{2, -3, 1, 0, 2.5}, seen(Sampling{FrequencyPenalty: .5}, []int32{0}, 1, 4, 1))
	require.Equal(t, []float32{2, -2.5, 1, 0, 2.5}, seen(Sampling{PresencePenalty: .5}, []int32{0}, 1, 4, 1))
	inf := float32(math.Inf(-1))
	require.Equal(t, []float32{2, -2, 1, inf, 3}, seen(Sampling{IgnoreEnd: true}, nil))
	require.Equal(t, []float32{7, -2, 1, 0, inf}, seen(Sampling{Bias: map[int32]float32{0: 5, 4: inf}}, nil))
}

// Mirostat holds the mean surprise at its target, on distributions of different
// entropy.
func TestMirostat(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, target := range []float32{2, 4, 6} {
		s := newSampler(Sampling{Temperature: 1, Mirostat: &Mirostat{target, .1}, Seed: 1}, nil, nil)
		sum, n := 0.0, 0
		logits := make([]float32, 2000)
		for step := range 2000 {
			sharp := .7 + rng.Float64()/2
			for i := range logits {
				logits[i] = float32(-sharp * math.Log(float64(i)+1))
			}
			before := s.bound
			_, err := s.choose(logits)
			require.NoError(t, err)
			if step >= 200 {
				sum += float64(target) - (s.bound-before)/.1 // the surprise that moved the bound
				n++
			}
		}
		require.InDelta(t, float64(target), sum/float64(n), .15)
	}
}

// best agrees with sorting, ties to the lower id.
func TestBest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 60 {
		c := make([]candidate, n)
		for i := range c {
			c[i] = candidate{int32(i), float32(rng.IntN(8))}
		}
		rng.Shuffle(n, func(i, j int) { c[i], c[j] = c[j], c[i] })
		want := slices.Clone(c)
		sort.Slice(want, func(i, j int) bool { return before(want[i], want[j]) })
		k := rng.IntN(n + 2)
		got := slices.Clone(c)
		require.Equal(t, min(k, n), best(got, func(m int) bool { return m == k }))
		require.Equal(t, want[:min(k, n)], got[:min(k, n)])
		sort.Slice(got, func(i, j int) bool { return before(got[i], got[j]) })
		require.Equal(t, want, got, "a permutation")
	}
}

func TestSamplerNothingLeft(t *testing.T) {
	inf := float32(math.Inf(-1))
	for _, temperature := range []float32{0, 1} {
		_, err := newSampler(Sampling{Temperature: temperature}, nil, nil).choose([]float32{inf, inf})
		require.ErrorIs(t, err, ErrNoToken)
		id, err := newSampler(Sampling{Temperature: temperature, TopK: 5, TopP: .5, MinP: .5, Typical: .5}, nil, nil).choose([]float32{inf, -300, inf})
		require.NoError(t, err)
		require.Equal(t, int32(1), id)
	}
	failed := errors.New("failed")
	_, err := newSampler(Sampling{Hook: func([]int32, []float32) error { return failed }}, nil, nil).choose([]float32{1})
	require.ErrorIs(t, err, failed)
}

func BenchmarkSampler(b *testing.B) {
	rng := rand.New(rand.NewPCG(9, 9))
	logits := make([]float32, 151936)
	for i := range logits {
		logits[i] = float32(rng.NormFloat64() * 2.5)
	}
	for name, opt := range map[string]Sampling{
		"greedy":      {},
		"temperature": {Temperature: .8},
		"top-p":       {Temperature: .8, TopP: .95},
		"usual":       {Temperature: .8, TopK: 40, TopP: .95, MinP: .05, RepeatPenalty: 1.1},
		"typical":     {Temperature: .8, Typical: .9},
	} {
		b.Run(name, func(b *testing.B) {
			s := newSampler(opt, nil, nil)
			for b.Loop() {
				if _, err := s.choose(logits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
