package moe_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
	"github.com/coterie-go/coterie/router"
)

type seen struct {
	layer, position int
	ids             []int32
	weights         []float32
}

// record runs three tokens and returns the choices and the logits.
func record(t *testing.T, opts ...moe.Option) ([]seen, []float32) {
	t.Helper()
	var list []seen
	m, err := moetest.Tale(append(opts, moe.WithRouteObserver(func(layer, position int, ids []int32, weights []float32) {
		list = append(list, seen{layer, position, append([]int32(nil), ids...), append([]float32(nil), weights...)})
	}))...)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	logits, err := m.Forward(context.Background(), m.NewState(), []int32{0, 300, 301})
	if err != nil {
		t.Fatal(err)
	}
	return list, append([]float32(nil), logits...)
}

func equal(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// Layers in order, tokens in order within a layer; weights in Tale sum to its
// scaling factor.
func TestRouteObserver(t *testing.T) {
	list, _ := record(t)
	if len(list) != 4*3 {
		t.Fatalf("%d calls, want 4 layers x 3 tokens", len(list))
	}
	for i, s := range list {
		if s.layer != 1+i/3 || s.position != i%3 || len(s.ids) != 4 {
			t.Errorf("call %d: %+v", i, s)
		}
		sum := float32(0)
		for _, w := range s.weights {
			sum += w
		}
		if sum < 2.499 || sum > 2.501 {
			t.Errorf("call %d: weights sum to %v, want 2.5", i, sum)
		}
	}
}

// Replaying recorded choices gives the same bits; leaving experts out does not;
// an expert that does not exist is an error of the call.
func TestRouteOverride(t *testing.T) {
	list, want := record(t)
	replay := func(layer, position int, ids []int32, weights []float32) {
		s := list[(layer-1)*3+position]
		copy(ids, s.ids)
		copy(weights, s.weights)
	}
	if _, got := record(t, moe.WithRouteOverride(replay)); !equal(got, want) {
		t.Error("a replay gives other logits")
	}
	drop := func(_, _ int, ids []int32, weights []float32) { ids[3], weights[3] = -1, 0 }
	if _, got := record(t, moe.WithRouteOverride(drop)); equal(got, want) {
		t.Error("leaving an expert out changes nothing")
	}
	m, err := moetest.Tale(moe.WithRouteOverride(func(_, _ int, ids []int32, _ []float32) { ids[0] = 16 }))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Forward(context.Background(), m.NewState(), []int32{0}); !errors.Is(err, moe.ErrOption) {
		t.Errorf("expert 16 of 16: %v", err)
	}
}

func TestTopKAndMinGate(t *testing.T) {
	list, _ := record(t, moe.WithTopK(2))
	for _, s := range list {
		if len(s.ids) != 2 {
			t.Fatalf("%+v: want 2 experts", s)
		}
	}
	list, _ = record(t, moe.WithMinGate(0.9))
	dropped := 0
	for _, s := range list {
		for i, id := range s.ids {
			if id < 0 {
				dropped++
			} else if s.weights[i] < 0.9*s.weights[0] {
				t.Errorf("%+v: kept a weight under 0.9 of the largest", s)
			}
		}
	}
	if dropped == 0 {
		t.Error("nothing was left out")
	}
	if _, err := moetest.Tale(moe.WithTopK(17)); !errors.Is(err, moe.ErrConfig) {
		t.Errorf("17 of 16 experts: %v", err)
	}
	if _, err := moetest.Tale(moe.WithTopK(0)); !errors.Is(err, moe.ErrOption) {
		t.Errorf("no expert: %v", err)
	}
}

// Observing costs no allocation, and feeds router.Stats as it is.
func TestObserverAllocatesNothing(t *testing.T) {
	stats := router.NewStats(16)
	m, err := moetest.Tale(moe.WithThreads(1), moe.WithRouteObserver(func(layer, _ int, ids []int32, weights []float32) {
		if layer == 4 {
			stats.Add(ids, weights)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, ctx, ids := m.NewState(), context.Background(), []int32{300}
	step := func() {
		if _, err := m.Forward(ctx, s, ids); err != nil {
			t.Fatal(err)
		}
	}
	step()
	if n := testing.AllocsPerRun(50, step); n > 0 {
		t.Errorf("%v allocations a token", n)
	}
	if stats.Tokens() < 50 || stats.Entropy() <= 0 || stats.Entropy() > math.Log(16) || stats.Balance() < 1 {
		t.Errorf("%d tokens, entropy %v, balance %v", stats.Tokens(), stats.Entropy(), stats.Balance())
	}
}
