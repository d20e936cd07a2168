package moe_test

import (
	"errors"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"sort"
	"strings"
	"sync"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/router"
)

// Two experts that multiply by different numbers: what comes out can be told in
// the head. silu(1) is 0.7311, and each expert's down matrix is a multiple of the
// identity.
func ExampleNewLayer() {
	id := func(by float32) []float32 { return []float32{by, 0, 0, by} }
	layer, err := moe.NewLayer(
		moe.LayerSpec{Dim: 2, FF: 2, Router: router.Spec{Experts: 2, TopK: 1, Score: router.Softmax, Normalize: true}},
		moe.LayerWeights{
			Router: []float32{1, 0, 0, 1}, // the first value votes for expert 0, the second for 1
			Gate:   [][]float32{id(1), id(1)},
			Up:     [][]float32{id(1), id(1)},
			Down:   [][]float32{id(10), id(100)},
		}, 1)
	if err != nil {
		log.Fatal(err)
	}
	defer layer.Close()
	y := make([]float32, 4)
	err = layer.Forward(y, []float32{1, 0, 0, 1}, func(input int, ids []int32, weights []float32) {
		fmt.Println("input", input, "goes to expert", ids[0])
	})
	fmt.Printf("%.3f %v\n", y, err)
	// Output:
	// input 0 goes to expert 0
	// input 1 goes to expert 1
	// [7.311 0.000 0.000 73.106] <nil>
}

func random(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64() * 0.3)
	}
	return x
}

// TestLayer holds a layer against the definition computed with gonum in float64,
// and checks that inputs together and alone give the same bits.
func TestLayer(t *testing.T) {
	const dim, ff, experts, k, n = 48, 40, 6, 3, 17
	rng := rand.New(rand.NewPCG(3, 4))
	w := moe.LayerWeights{Router: random(rng, experts*dim), RouterBias: random(rng, experts)}
	for range experts {
		w.Gate, w.Up, w.Down = append(w.Gate, random(rng, ff*dim)), append(w.Up, random(rng, ff*dim)), append(w.Down, random(rng, dim*ff))
	}
	w.SharedGate, w.SharedUp, w.SharedDown = [][]float32{random(rng, 24*dim)}, [][]float32{random(rng, 24*dim)}, [][]float32{random(rng, dim*24)}
	spec := moe.LayerSpec{Dim: dim, FF: ff, Router: router.Spec{Experts: experts, TopK: k, Score: router.Softmax, Normalize: true}}
	l, err := moe.NewLayer(spec, w, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x, y := random(rng, n*dim), make([]float32, n*dim)
	if err := l.Forward(y, x, nil); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		want := naive(x[i*dim:(i+1)*dim], w, experts, k, dim)
		for j, v := range want {
			if d := math.Abs(v - float64(y[i*dim+j])); d > 1e-5 {
				t.Fatalf("input %d, value %d: %v, want %v", i, j, y[i*dim+j], v)
			}
		}
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			one := make([]float32, dim)
			if err := l.Forward(one, x[i*dim:(i+1)*dim], nil); err != nil {
				t.Error(err)
			}
			for j, v := range one {
				if math.Float32bits(v) != math.Float32bits(y[i*dim+j]) {
					t.Errorf("input %d alone: value %d is %v, together %v", i, j, v, y[i*dim+j])
					return
				}
			}
		})
	}
	wg.Wait()
}

// naive computes the layer by its definition.
func naive(x []float32, w moe.LayerWeights, experts, k, dim int) []float64 {
	dense := func(v []float32, cols int) *mat.Dense {
		f := make([]float64, len(v))
		for i, x := range v {
			f[i] = float64(x)
		}
		return mat.NewDense(len(v)/cols, cols, f)
	}
	in := dense(x, 1)
	var z mat.Dense
	z.Mul(dense(w.Router, dim), in)
	p := make([]float64, experts)
	order := make([]int, experts)
	for e := range p {
		p[e] = math.Exp(z.At(e, 0) + float64(w.RouterBias[e]))
		order[e] = e
	}
	sort.SliceStable(order, func(a, b int) bool { return p[order[a]] > p[order[b]] })
	sum := 0.0
	for _, e := range order[:k] {
		sum += p[e]
	}
	out := mat.NewDense(dim, 1, nil)
	pass := func(weight float64, gate, up, down []float32) {
		var g, u, y mat.Dense
		g.Mul(dense(gate, dim), in)
		u.Mul(dense(up, dim), in)
		g.Apply(func(i, _ int, v float64) float64 { return v / (1 + math.Exp(-v)) * u.At(i, 0) }, &g)
		y.Mul(dense(down, len(down)/dim), &g)
		y.Scale(weight, &y)
		out.Add(out, &y)
	}
	for _, e := range order[:k] {
		pass(p[e]/sum, w.Gate[e], w.Up[e], w.Down[e])
	}
	for i := range w.SharedGate {
		pass(1, w.SharedGate[i], w.SharedUp[i], w.SharedDown[i])
	}
	return mat.Col(nil, 0, out)
}

func TestLayerRefuses(t *testing.T) {
	spec := moe.LayerSpec{Dim: 4, FF: 3, Router: router.Spec{Experts: 2, TopK: 3}}
	_, err := moe.NewLayer(spec, moe.LayerWeights{Router: make([]float32, 7), Gate: make([][]float32, 2)}, 1)
	if !errors.Is(err, moe.ErrLayer) {
		t.Fatal(err)
	}
	for _, says := range []string{"TopK", "Router: want 2 x 4", "found 2, 0 and 0"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v: does not say %q", err, says)
		}
	}
}
