package router

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
)

// judge routes one token by sorting, in float64, straight from the equations. Besides ids and weights it returns the
// margin: the least change of a score that would have made it choose or order differently.
func judge(spec Spec, bias, logits []float32) (ids []int, weights []float64, margin float64) {
	margin = math.Inf(1)
	z := make([]float64, len(logits))
	for i, v := range logits {
		z[i] = float64(v)
	}
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	softmax := func(x []float64) []float64 {
		y, lse := make([]float64, len(x)), floats.LogSumExp(x)
		for i := range x {
			y[i] = math.Exp(x[i] - lse)
		}
		return y
	}
	each := func(f func(float64) float64) []float64 {
		y := make([]float64, len(z))
		for i := range z {
			y[i] = f(z[i])
		}
		return y
	}

	choose, weigh := z, z
	switch spec.Score {
	case Softmax:
		choose = softmax(z)
		weigh = choose
	case Sigmoid:
		choose = each(sigmoid)
		weigh = choose
	case SqrtSoftplus:
		choose = each(func(x float64) float64 { return math.Sqrt(math.Log1p(math.Exp(x))) })
		weigh = choose
	case SigmoidSoftmax:
		choose, weigh = each(sigmoid), softmax(z)
	case SigmoidTopK:
		weigh = each(sigmoid)
	}
	c := slices.Clone(choose)
	for i := range bias {
		c[i] += float64(bias[i])
	}

	rank := func(of []float64, n int) []int {
		order := make([]int, len(of))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(of[b], of[a]) })
		for i := 0; i < n && i+1 < len(order); i++ {
			if a, b := of[order[i]], of[order[i+1]]; a != b { // equals in float64 are equals by design here
				margin = min(margin, a-b)
			}
		}
		return order[:n]
	}
	if spec.Groups > 1 {
		size := len(c) / spec.Groups
		worth := make([]float64, spec.Groups)
		for g := range worth {
			best := slices.Clone(c[g*size : (g+1)*size])
			slices.Sort(best)
			worth[g] = best[size-1]
			if spec.GroupScore == GroupTop2Sum {
				worth[g] += best[size-2]
			}
		}
		kept := rank(worth, spec.TopGroups)
		for i := range c {
			switch {
			case slices.Contains(kept, i/size):
			case spec.MaskToZero:
				c[i] = 0
			default:
				c[i] = math.Inf(-1)
			}
		}
	}
	ids = rank(c, spec.TopK)

	switch spec.Score {
	case SoftmaxTopK:
		for _, id := range ids {
			weights = append(weights, z[id])
		}
		weights = softmax(weights)
	case SparseMixer:
		left := slices.Clone(z)
		for _, id := range ids {
			m, near := floats.Max(left), slices.Clone(left)
			for i, v := range left {
				if !math.IsInf(v, -1) {
					ratio := (m - v) / max(math.Abs(z[i]), m)
					margin = min(margin, math.Abs(ratio-2*float64(spec.SparseEps)))
					if ratio > 2*float64(spec.SparseEps) {
						near[i] = math.Inf(-1)
					}
				}
			}
			weights = append(weights, softmax(near)[id])
			left[id] = math.Inf(-1)
		}
	default:
		for _, id := range ids {
			weights = append(weights, weigh[id])
		}
	}
	if spec.Normalize {
		floats.Scale(1/max(floats.Sum(weights)+float64(spec.NormEps), float64(spec.NormMin)), weights)
	}
	if spec.Scale != 0 {
		floats.Scale(float64(spec.Scale), weights)
	}
	return ids, weights, margin
}

// families holds a spec for each row of the package documentation's table, in the sizes of a well-known checkpoint
// of it, and whether it has a selection bias.
var families = []struct {
	name string
	spec Spec
	bias bool
}{
	{"olmoe", Spec{Experts: 64, TopK: 8}, false},
	{"qwen2-moe", Spec{Experts: 60, TopK: 4}, false},
	{"deepseek-v2-lite", Spec{Experts: 64, TopK: 6, Scale: 1}, false},
	{"mixtral", Spec{Experts: 8, TopK: 2, Normalize: true}, false},
	{"qwen3-moe", Spec{Experts: 128, TopK: 8, Normalize: true}, false},
	{"qwen3-next", Spec{Experts: 512, TopK: 10, Normalize: true}, false},
	{"granite", Spec{Experts: 40, TopK: 8, Score: SoftmaxTopK}, false},
	{"gpt-oss", Spec{Experts: 128, TopK: 4, Score: SoftmaxTopK}, false},
	{"deepseek-v2", Spec{Experts: 160, TopK: 6, Groups: 8, TopGroups: 3, MaskToZero: true, Scale: 16}, false},
	{"deepseek-v3", Spec{Experts: 256, TopK: 8, Score: Sigmoid, Groups: 8, TopGroups: 4, GroupScore: GroupTop2Sum, MaskToZero: true,
		Normalize: true, NormEps: 1e-20, Scale: 2.5}, true},
	{"deepseek-v3, groups masked out", Spec{Experts: 256, TopK: 8, Score: Sigmoid, Groups: 8, TopGroups: 4, GroupScore: GroupTop2Sum,
		Normalize: true, NormEps: 1e-20, Scale: 2.5}, true},
	{"kimi-k2", Spec{Experts: 384, TopK: 8, Score: Sigmoid, Groups: 1, TopGroups: 1, Normalize: true, NormEps: 1e-20, Scale: 2.827}, true},
	{"minimax-m2", Spec{Experts: 256, TopK: 8, Score: Sigmoid, Normalize: true}, true},
	{"ernie-4.5", Spec{Experts: 64, TopK: 6, Normalize: true, NormMin: 1e-12}, true},
	{"longcat-flash", Spec{Experts: 768, TopK: 12, Scale: 6}, true},
	{"llama-4", Spec{Experts: 128, TopK: 1, Score: SigmoidTopK}, false},
	{"deepseek-v4", Spec{Experts: 256, TopK: 6, Score: SqrtSoftplus, Normalize: true, NormEps: 1e-20, Scale: 1.5}, true},
	{"grovemoe", Spec{Experts: 128, TopK: 8, Score: SigmoidSoftmax, Normalize: true}, false},
	{"phimoe", Spec{Experts: 16, TopK: 2, Score: SparseMixer, SparseEps: .01}, false},
	{"one expert", Spec{Experts: 1, TopK: 1}, false},
	{"all of them", Spec{Experts: 5, TopK: 5, Score: Sigmoid}, true},
}

// uniform fills x with values from -spread to spread that every CPU computes alike.
func uniform(rng *rand.Rand, x []float32, spread float32) {
	for i := range x {
		x[i] = (rng.Float32() - 0.5) * 2 * spread
	}
}

// TestRouteAgainstJudge holds every family against the judge. A token whose margin is below what float32 resolves is
// left out; most must not be.
func TestRouteAgainstJudge(t *testing.T) {
	const tokens, resolved = 400, 3e-7
	for _, f := range families {
		for _, spread := range []float32{1, 8, 30} {
			t.Run(fmt.Sprintf("%s/%v", f.name, spread), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(7, uint64(spread)))
				var bias []float32
				if f.bias {
					bias = make([]float32, f.spec.Experts)
					uniform(rng, bias, .5)
				}
				r, s := must(t, f.spec, bias), NewScratch(f.spec.Experts)
				logits, ids, weights := make([]float32, f.spec.Experts), make([]int32, f.spec.TopK), make([]float32, f.spec.TopK)
				again := make([]float32, f.spec.TopK)
				compared := 0
				for range tokens {
					uniform(rng, logits, spread)
					if n := r.Route(ids, weights, logits, s); n != f.spec.TopK {
						t.Fatalf("%d kept", n)
					}
					if err := r.Weigh(again, ids, logits, s); err != nil || !slices.Equal(again, weights) {
						t.Fatalf("Weigh gives %v, Route %v (%v)", again, weights, err)
					}
					wantIDs, wantWeights, margin := judge(f.spec, bias, logits)
					if margin < resolved {
						continue
					}
					compared++
					for i, id := range ids {
						if int(id) != wantIDs[i] {
							t.Fatalf("ids %v, want %v (margin %g)", ids, wantIDs, margin)
						}
						if w, want := float64(weights[i]), wantWeights[i]; math.Abs(w-want) > 3e-6*math.Abs(want)+1e-37 {
							t.Fatalf("weight %d is %v, want %v", i, w, want)
						}
					}
				}
				least := map[float32]int{1: tokens * 3 / 4, 8: tokens / 2, 30: tokens / 20}[spread]
				if f.spec.Score == SigmoidSoftmax && spread == 30 {
					least = 0 // in float32 the best sigmoids are all 1, and nothing but the index decides
				}
				if compared < least {
					t.Errorf("only %d of %d tokens were clear", compared, tokens)
				}
			})
		}
	}
}
