package router

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func must(t testing.TB, spec Spec, bias []float32) *Router {
	t.Helper()
	r, err := New(spec, bias)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// logs returns the logarithms of x: the logits of which x is the softmax, if it adds up to 1.
func logs(x ...float64) []float32 {
	z := make([]float32, len(x))
	for i, v := range x {
		z[i] = float32(math.Log(v))
	}
	return z
}

// odds returns the logits of which p is the sigmoid.
func odds(p ...float64) []float32 {
	z := make([]float32, len(p))
	for i, v := range p {
		z[i] = float32(math.Log(v / (1 - v)))
	}
	return z
}

// Every score function and every option, on numbers that can be followed in the head.
func TestRouteByHand(t *testing.T) {
	ln3 := float32(math.Log(3))
	for _, c := range []struct {
		name    string
		spec    Spec
		bias    []float32
		logits  []float32
		ids     []int32
		weights []float32
	}{
		{"softmax as it is",
			Spec{Experts: 4, TopK: 2}, nil,
			logs(.1, .4, .2, .3), []int32{1, 3}, []float32{.4, .3}},
		{"softmax normalised",
			Spec{Experts: 4, TopK: 2, Normalize: true}, nil,
			logs(.1, .6, .1, .2), []int32{1, 3}, []float32{.75, .25}},
		{"softmax scaled",
			Spec{Experts: 4, TopK: 2, Scale: 10}, nil,
			logs(.1, .4, .2, .3), []int32{1, 3}, []float32{4, 3}},
		{"normalised first, scaled then",
			Spec{Experts: 4, TopK: 2, Normalize: true, Scale: 2}, nil,
			logs(.1, .6, .1, .2), []int32{1, 3}, []float32{1.5, .5}},
		{"a bias chooses but does not weigh",
			Spec{Experts: 4, TopK: 2}, []float32{.35, 0, 0, 0},
			logs(.1, .4, .2, .3), []int32{0, 1}, []float32{.1, .4}},
		{"the sum of the weights has a floor",
			Spec{Experts: 4, TopK: 2, Normalize: true, NormMin: 1}, nil,
			logs(.1, .4, .2, .3), []int32{1, 3}, []float32{.4, .3}},
		{"and a summand",
			Spec{Experts: 4, TopK: 2, Normalize: true, NormEps: .3}, nil,
			logs(.1, .4, .2, .3), []int32{1, 3}, []float32{.4, .3}},
		{"softmax over the chosen",
			Spec{Experts: 4, TopK: 2, Score: SoftmaxTopK}, nil,
			[]float32{-5, 2, -7, 2 + ln3}, []int32{3, 1}, []float32{.75, .25}},
		{"sigmoid",
			Spec{Experts: 4, TopK: 2, Score: Sigmoid, Normalize: true, NormEps: 1e-20}, nil,
			odds(.2, .6, .1, .3), []int32{1, 3}, []float32{2. / 3, 1. / 3}},
		{"sigmoid of the chosen",
			Spec{Experts: 4, TopK: 1, Score: SigmoidTopK}, nil,
			odds(.2, .6, .1, .3), []int32{1}, []float32{.6}},
		{"a bias on logits",
			Spec{Experts: 4, TopK: 1, Score: SigmoidTopK}, []float32{0, 0, 9, 0},
			odds(.2, .6, .1, .3), []int32{2}, []float32{.1}},
		{"square root of softplus", // log(1 + e^z) = 1, 4 for z = log(e-1), log(e⁴-1)
			Spec{Experts: 4, TopK: 2, Score: SqrtSoftplus, Normalize: true}, nil,
			[]float32{-9, float32(math.Log(math.E - 1)), -8, float32(math.Log(math.Exp(4) - 1))},
			[]int32{3, 1}, []float32{2. / 3, 1. / 3}},
		{"chosen by sigmoid with its bias, weighed by softmax",
			Spec{Experts: 4, TopK: 2, Score: SigmoidSoftmax}, []float32{1, 0, 0, 0},
			logs(.1, .4, .2, .3), []int32{0, 1}, []float32{.1, .4}},
		{"sparse mixer", // 2 rivals 1.99 (closer than 2 %) but not 1.9; then 1.99 has no rival left
			Spec{Experts: 4, TopK: 2, Score: SparseMixer, SparseEps: .01}, nil,
			[]float32{1.9, 2, -3, 1.99}, []int32{1, 3}, []float32{float32(1 / (1 + math.Exp(-.01))), 1}},
		{"ties go to the lower index",
			Spec{Experts: 6, TopK: 4, Score: SigmoidTopK}, nil,
			[]float32{-1, 0, float32(math.Copysign(0, -1)), 1, 0, 1}, []int32{3, 5, 1, 2}, []float32{.7310586, .7310586, .5, .5}},
		{"the better group by its best",
			Spec{Experts: 4, TopK: 2, Groups: 2, TopGroups: 1}, nil,
			logs(.3, .25, .4, .05), []int32{2, 3}, []float32{.4, .05}},
		{"the better group by its best two",
			Spec{Experts: 4, TopK: 2, Groups: 2, TopGroups: 1, GroupScore: GroupTop2Sum}, nil,
			logs(.3, .25, .4, .05), []int32{0, 1}, []float32{.3, .25}},
		{"equal groups: the first",
			Spec{Experts: 4, TopK: 2, Groups: 2, TopGroups: 1, Score: SigmoidTopK}, nil,
			[]float32{0, 1, 1, 0}, []int32{1, 0}, []float32{.7310586, .5}},
		{"a group is chosen with the bias", // .5+.4 against .9+.1; with the bias 1.1
			Spec{Experts: 4, TopK: 1, Score: Sigmoid, Groups: 2, TopGroups: 1, GroupScore: GroupTop2Sum}, []float32{0, .2, 0, 0},
			odds(.5, .4, .9, .1), []int32{1}, []float32{.4}},
		{"a masked zero beats a kept negative", // kept: .5-.2 and .3-.4; masked zeros, the lower index first
			Spec{Experts: 6, TopK: 3, Score: Sigmoid, Groups: 2, TopGroups: 1, MaskToZero: true}, []float32{-1, -1, -1, -.2, -.4, -2},
			odds(.9, .6, .7, .5, .3, .8), []int32{3, 0, 1}, []float32{.5, .9, .6}},
		{"a masked expert stays out",
			Spec{Experts: 6, TopK: 3, Score: Sigmoid, Groups: 2, TopGroups: 1}, []float32{-1, -1, -1, -.2, -.4, -2},
			odds(.9, .6, .7, .5, .3, .8), []int32{3, 4, 5}, []float32{.5, .3, .8}},
		{"an expert barred by the bias",
			Spec{Experts: 4, TopK: 2}, []float32{0, negInf, 0, 0},
			logs(.1, .4, .2, .3), []int32{3, 2}, []float32{.3, .2}},
		{"small weights dropped",
			Spec{Experts: 4, TopK: 3, MinGate: .5}, []float32{1, 0, 0, 0},
			logs(.1, .4, .2, .3), []int32{1, 3, -1}, []float32{.4, .3, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := must(t, c.spec, c.bias)
			ids, weights := make([]int32, c.spec.TopK), make([]float32, c.spec.TopK)
			logits := slices.Clone(c.logits)
			n := r.Route(ids, weights, logits, nil)
			if !slices.Equal(ids, c.ids) {
				t.Errorf("ids %v, want %v", ids, c.ids)
			}
			for i, w := range weights {
				if math.Abs(float64(w-c.weights[i])) > 4e-7*max(1, math.Abs(float64(w))) {
					t.Errorf("weights %v, want %v", weights, c.weights)
				}
			}
			want := len(c.ids)
			if i := slices.Index(c.ids, -1); i >= 0 {
				want = i
			}
			if n != want {
				t.Errorf("%d kept, want %d", n, want)
			}
			if !slices.Equal(logits, c.logits) {
				t.Errorf("logits changed to %v", logits)
			}
		})
	}
}

// Logits that are no numbers neither disturb the others nor are chosen before them.
func TestRouteNotFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name   string
		score  Score
		logits []float32
		ids    []int32
	}{
		{"NaN last", Sigmoid, []float32{nan, 1, nan, -80, 2}, []int32{4, 1, 3}},
		{"NaN last among logits", SoftmaxTopK, []float32{nan, 1, nan, -80, 2}, []int32{4, 1, 3}},
		{"only NaN", Sigmoid, []float32{nan, nan, nan, nan, nan}, []int32{0, 1, 2}},
		{"only NaN, sparse mixer", SparseMixer, []float32{nan, nan, nan, nan, nan}, []int32{0, 1, 2}},
		{"infinities", Sigmoid, []float32{-inf, inf, 0, inf, nan}, []int32{1, 3, 2}},
		{"minus infinities only", SoftmaxTopK, []float32{-inf, -inf, -inf, -inf, -inf}, []int32{0, 1, 2}},
		{"an infinity leaves no probabilities, only NaN", Softmax, []float32{0, 0, 0, 0, inf}, []int32{0, 1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ids, weights := make([]int32, 3), make([]float32, 3)
			if n := must(t, Spec{Experts: 5, TopK: 3, Score: c.score, SparseEps: .01}, nil).Route(ids, weights, c.logits, nil); n != 3 {
				t.Errorf("%d kept, want 3", n)
			}
			if !slices.Equal(ids, c.ids) {
				t.Errorf("ids %v, want %v", ids, c.ids)
			}
		})
	}
}

func TestRouteShapes(t *testing.T) {
	r := must(t, Spec{Experts: 4, TopK: 2}, nil)
	ids, weights, logits := make([]int32, 6), make([]float32, 6), make([]float32, 12)
	for _, c := range []struct{ ids, weights, logits int }{{1, 2, 4}, {2, 1, 4}, {2, 2, 3}, {2, 2, 5}, {0, 0, 0}} {
		if n := r.Route(ids[:c.ids], weights[:c.weights], logits[:c.logits], nil); n != 0 {
			t.Errorf("%+v: %d kept, want 0", c, n)
		}
	}
	ids[2], weights[2] = 7, 8
	if n := r.Route(ids, weights, logits[:4], nil); n != 2 || ids[2] != 7 || weights[2] != 8 {
		t.Errorf("longer slices: %d kept, then %d and %v", n, ids[2], weights[2])
	}
	for _, c := range []struct {
		ids, weights, logits, n int
		names                   []string
	}{
		{5, 6, 12, 3, []string{"ids"}},
		{6, 5, 12, 3, []string{"weights"}},
		{6, 6, 11, 3, []string{"logits"}},
		{0, 0, 0, 1, []string{"ids", "weights", "logits"}},
		{6, 6, 12, -1, []string{"ids", "weights", "logits"}},
		{6, 6, 12, math.MaxInt, []string{"ids", "weights", "logits"}},
	} {
		err := r.RouteBatch(ids[:c.ids], weights[:c.weights], logits[:c.logits], c.n, nil)
		if !errors.Is(err, ErrShape) {
			t.Fatalf("%+v: %v", c, err)
		}
		for _, name := range []string{"ids", "weights", "logits"} {
			if strings.Contains(err.Error(), name+": want") != slices.Contains(c.names, name) {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
	if err := r.RouteBatch(nil, nil, nil, 0, nil); err != nil {
		t.Errorf("no tokens: %v", err)
	}
	var none Router
	if n := none.Route(ids, weights, logits, nil); n != 0 {
		t.Errorf("a zero Router kept %d", n)
	}
	if err := none.RouteBatch(ids, weights, nil, 3, nil); err != nil {
		t.Errorf("a zero Router: %v", err)
	}
}

func TestWeigh(t *testing.T) {
	r := must(t, Spec{Experts: 4, TopK: 2, Normalize: true, MinGate: 1}, nil)
	weights := make([]float32, 2)
	if err := r.Weigh(weights, []int32{0, 3}, logs(.1, .4, .2, .3), nil); err != nil {
		t.Fatal(err)
	}
	if math.Abs(float64(weights[0]-.25)) > 1e-7 || math.Abs(float64(weights[1]-.75)) > 1e-7 {
		t.Errorf("weights %v, want .25 and .75", weights)
	}
	far := must(t, Spec{Experts: 4, TopK: 2, Score: SparseMixer, SparseEps: .01}, nil)
	if err := far.Weigh(weights, []int32{2, 1}, []float32{1.9, 2, -3, 1.99}, nil); err != nil {
		t.Fatal(err)
	}
	if want := float32(1 / (1 + math.Exp(-.01))); weights[0] != 0 || math.Abs(float64(weights[1]-want)) > 1e-7 {
		t.Errorf("sparse mixer weighs %v, want 0 for an expert out of reach and %v", weights, want)
	}
	for _, c := range []struct {
		weights, logits int
		ids             []int32
		want            error
	}{
		{2, 3, []int32{0, 1}, ErrShape},
		{1, 4, []int32{0, 1}, ErrShape},
		{2, 4, []int32{0, 4}, ErrID},
		{2, 4, []int32{-1, 0}, ErrID},
		{2, 4, []int32{1, 1}, ErrID},
	} {
		if err := r.Weigh(weights[:c.weights], c.ids, make([]float32, c.logits), nil); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestNewErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		spec Spec
		bias []float32
		want []string // parts of the message, one for each misfit
	}{
		{"nothing set", Spec{}, nil, []string{"Experts", "TopK"}},
		{"k over experts", Spec{Experts: 4, TopK: 5}, nil, []string{"TopK: want 1 to Experts (4), found 5"}},
		{"unknown names", Spec{Experts: 4, TopK: 1, Score: 99, GroupScore: 9}, nil, []string{"Score", "GroupScore"}},
		{"groups that do not divide", Spec{Experts: 10, TopK: 1, Groups: 4, TopGroups: 1}, nil, []string{"Groups: want a divisor of Experts (10), found 4"}},
		{"too many groups kept", Spec{Experts: 8, TopK: 1, Groups: 4, TopGroups: 5}, nil, []string{"TopGroups: want 1 to Groups (4), found 5"}},
		{"no group kept", Spec{Experts: 8, TopK: 1, Groups: 4}, nil, []string{"TopGroups"}},
		{"no two to add", Spec{Experts: 4, TopK: 1, Groups: 4, TopGroups: 1, GroupScore: GroupTop2Sum}, nil, []string{"at least 2 experts in a group"}},
		{"fewer within reach than k", Spec{Experts: 8, TopK: 3, Groups: 4, TopGroups: 1}, nil, []string{"TopK: want at most the 2 experts of 1 groups, found 3"}},
		{"negative groups", Spec{Experts: 8, TopK: 1, Groups: -1}, nil, []string{"Groups"}},
		{"sparse mixer stands alone", Spec{Experts: 4, TopK: 2, Score: SparseMixer, Groups: 2, TopGroups: 1}, make([]float32, 4), []string{"Groups", "selection bias"}},
		{"numbers", Spec{Experts: 4, TopK: 1, NormEps: -1, NormMin: float32(math.NaN()), Scale: float32(math.Inf(1)), SparseEps: -1, MinGate: 2}, nil,
			[]string{"NormEps", "NormMin", "Scale", "SparseEps", "MinGate"}},
		{"length of the bias", Spec{Experts: 4, TopK: 1}, make([]float32, 3), []string{"selection bias: want Experts (4) values, found 3"}},
		{"bias that is no number", Spec{Experts: 2, TopK: 1}, []float32{0, float32(math.NaN())}, []string{"bias of expert 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := New(c.spec, c.bias)
			if r != nil || !errors.Is(err, ErrSpec) && !errors.Is(err, ErrShape) {
				t.Fatalf("%v, %v", r, err)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("%d misfits, want %d: %v", len(lines), len(c.want), err)
			}
			for i, want := range c.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("%q, want %q", lines[i], want)
				}
			}
		})
	}
	// What masked zeros can fill is no misfit.
	if err := (Spec{Experts: 8, TopK: 3, Groups: 4, TopGroups: 1, MaskToZero: true}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestRouterKeepsItsBias(t *testing.T) {
	bias := []float32{0, 0, 9, 0}
	r := must(t, Spec{Experts: 4, TopK: 1}, bias)
	bias[2], bias[0] = 0, 9
	ids, weights := make([]int32, 1), make([]float32, 1)
	if r.Route(ids, weights, make([]float32, 4), nil); ids[0] != 2 {
		t.Errorf("expert %d, want 2", ids[0])
	}
	if s := r.Spec(); s.Scale != 1 {
		t.Errorf("Scale %v, want the 1 that 0 stands for", s.Scale)
	}
}

func TestNames(t *testing.T) {
	for s := range scores {
		if n := s.String(); n == "" || strings.Contains(n, "(") {
			t.Errorf("Score %d has the name %q", uint8(s), n)
		}
	}
	if Score(200).String() != "Score(200)" || GroupScore(200).String() != "GroupScore(200)" {
		t.Error("unknown values are shown as numbers")
	}
	if GroupMax.String() != "max" || GroupTop2Sum.String() != "top2-sum" {
		t.Error("group scores")
	}
}

func TestNothingAllocated(t *testing.T) {
	for score := range scores {
		spec := Spec{Experts: 16, TopK: 4, Score: score, Normalize: true}
		var bias []float32
		if score != SparseMixer {
			spec.Groups, spec.TopGroups, bias = 4, 2, make([]float32, 16)
		}
		r, s := must(t, spec, bias), new(Scratch)
		ids, weights, logits := make([]int32, 12), make([]float32, 12), make([]float32, 48)
		var plan Plan
		stats := NewStats(16)
		run := func() {
			if err := errors.Join(r.RouteBatch(ids, weights, logits, 3, s), plan.Build(ids, 3, 4, 16)); err != nil {
				t.Fatal(err)
			}
			stats.Add(ids[:4], weights[:4])
		}
		run()
		if n := testing.AllocsPerRun(10, run); n != 0 {
			t.Errorf("%v: %v allocations", score, n)
		}
	}
}
