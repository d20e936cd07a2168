package expert

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/coterie-go/coterie/internal/par"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/tensor"
)

// linearOf returns a random float32 map and its values.
func linearOf(r *rand.Rand, out, in int, bias bool) (tensor.Linear, [][]float64, []float64) {
	data := make([]byte, 4*out*in)
	w, b := make([][]float64, out), make([]float64, out)
	l := tensor.Linear{Weights: kernels.Weights{Format: kernels.F32, Rows: out, K: in, Data: data, Stride: 4 * in}}
	for i := range w {
		w[i] = make([]float64, in)
		for j := range w[i] {
			v := r.Float32() - 0.5
			w[i][j] = float64(v)
			binary.LittleEndian.PutUint32(data[4*(i*in+j):], math.Float32bits(v))
		}
		if bias {
			v := r.Float32() - 0.5
			l.Bias, b[i] = append(l.Bias, v), float64(v)
		}
	}
	return l, w, b
}

// TestWeightBefore holds the mixture against its formula where weights multiply the
// experts' inputs: y = sum of E_e(w_e x), plus the shared expert's E(x).
func TestWeightBefore(t *testing.T) {
	for _, bias := range []bool{false, true} {
		r := rand.New(rand.NewPCG(7, 8))
		const dim, ff, n, k, count = 24, 40, 7, 2, 3
		experts := make([]Expert, count+1) // the last one is shared
		eval := make([]func(x []float64) []float64, count+1)
		for e := range experts {
			gate, gw, gb := linearOf(r, ff, dim, bias)
			up, uw, ub := linearOf(r, ff, dim, bias)
			down, dw, db := linearOf(r, dim, ff, false)
			experts[e] = Expert{Gate: gate, Up: up, Down: down}
			apply := func(w [][]float64, b, x []float64) []float64 {
				y := make([]float64, len(w))
				for i := range w {
					y[i] = b[i]
					for j, v := range x {
						y[i] += w[i][j] * v
					}
				}
				return y
			}
			eval[e] = func(x []float64) []float64 {
				g, u := apply(gw, gb, x), apply(uw, ub, x)
				for i, v := range g {
					g[i] = v / (1 + math.Exp(-v)) * u[i]
				}
				return apply(dw, db, g)
			}
		}
		x := tensor.NewActs(n, dim)
		choice := Choice{K: k}
		want := make([]float64, n*dim)
		for tok := range n {
			row := make([]float64, dim)
			for i := range row {
				x.Row(tok)[i] = r.Float32() - 0.5
				row[i] = float64(x.Row(tok)[i])
			}
			first := r.IntN(count)
			for _, e := range []int{first, (first + 1) % count} {
				w := r.Float32() * 2
				choice.IDs, choice.Weights = append(choice.IDs, int32(e)), append(choice.Weights, w)
				scaled := make([]float64, dim)
				for i, v := range row {
					scaled[i] = v * float64(w)
				}
				for i, v := range eval[e](scaled) {
					want[tok*dim+i] += v
				}
			}
			for i, v := range eval[count](row) {
				want[tok*dim+i] += v
			}
		}
		pool := par.New(2)
		var m Mixture
		in := &Input{X: x, N: n, Choice: choice, Experts: count, Expert: func(id int) *Expert { return &experts[id] },
			Shared: []*Expert{&experts[count]}, Dst: make([]float32, n*dim)}
		m.Run(pool, &Spec{WeightBefore: true}, in)
		pool.Close()
		for i, v := range in.Dst {
			if math.Abs(float64(v)-want[i]) > 1e-5 {
				t.Fatalf("biases %v: value %d is %v, want %v", bias, i, v, want[i])
			}
		}
	}
}
