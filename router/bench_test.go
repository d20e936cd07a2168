package router

import (
	"math/rand/v2"
	"testing"
)

// The routers of well-known models, on 64 different tokens: with one token alone the branch predictor learns it.
func BenchmarkRoute(b *testing.B) {
	for _, c := range []struct {
		name string
		spec Spec
	}{
		{"deepseek-v3", Spec{Experts: 256, TopK: 8, Score: Sigmoid, Groups: 8, TopGroups: 4, GroupScore: GroupTop2Sum, MaskToZero: true,
			Normalize: true, NormEps: 1e-20, Scale: 2.5}},
		{"qwen3-235b", Spec{Experts: 128, TopK: 8, Normalize: true}},
		{"gpt-oss-120b", Spec{Experts: 128, TopK: 4, Score: SoftmaxTopK}},
		{"deepseek-v4", Spec{Experts: 256, TopK: 6, Score: SqrtSoftplus, Normalize: true, NormEps: 1e-20, Scale: 1.5}},
		{"phimoe", Spec{Experts: 16, TopK: 2, Score: SparseMixer, SparseEps: 0.01}},
	} {
		b.Run(c.name, func(b *testing.B) {
			const n = 64
			rng := rand.New(rand.NewPCG(1, 2))
			logits, bias := make([]float32, n*c.spec.Experts), []float32(nil)
			for i := range logits {
				logits[i] = float32(rng.NormFloat64())
			}
			if c.spec.Score == Sigmoid {
				for range c.spec.Experts {
					bias = append(bias, float32(rng.NormFloat64()/10))
				}
			}
			r, err := New(c.spec, bias)
			if err != nil {
				b.Fatal(err)
			}
			ids, weights, s := make([]int32, n*c.spec.TopK), make([]float32, n*c.spec.TopK), NewScratch(c.spec.Experts)
			b.ReportAllocs()
			for b.Loop() {
				if err := r.RouteBatch(ids, weights, logits, n, s); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/token")
		})
	}
}

// A prompt of 512 tokens, 8 of 256 experts each.
func BenchmarkPlan(b *testing.B) {
	const n, k, experts = 512, 8, 256
	rng := rand.New(rand.NewPCG(1, 2))
	var ids []int32
	for range n {
		for _, e := range rng.Perm(experts)[:k] {
			ids = append(ids, int32(e))
		}
	}
	var p Plan
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Build(ids, n, k, experts); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*k), "ns/choice")
}
