package moe

import (
	"errors"
	"fmt"
	"sync"

	"github.com/coterie-go/coterie/expert"
	"github.com/coterie-go/coterie/internal/par"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/router"
	"github.com/coterie-go/coterie/tensor"
)

// ErrLayer says that a Layer's parts do not fit.
var ErrLayer = errors.New("moe: layer does not fit")

// LayerSpec describes a mixture-of-experts layer on its own.
type LayerSpec struct {
	Dim    int         // length of inputs and outputs
	FF     int         // hidden length of a routed expert
	Router router.Spec // how experts are chosen
	Expert expert.Spec // their activation
}

// LayerWeights are a layer's parameters in float32, rows before columns: (out, in).
// They are not copied and must not change while the layer is in use.
type LayerWeights struct {
	Router     []float32   // (Experts, Dim)
	RouterBias []float32   // (Experts) added to the scores, or nil
	SelectBias []float32   // (Experts) added for choosing only, or nil
	Gate, Up   [][]float32 // each expert's (FF, Dim)
	Down       [][]float32 // each expert's (Dim, FF)

	// Experts that every input passes through, added after the chosen ones.
	SharedGate, SharedUp [][]float32 // each (any, Dim)
	SharedDown           [][]float32 // each (Dim, the same)
}

// Layer is a mixture-of-experts layer without a language model:
//
//	y = sum of w_e * Down_e act(Gate_e x, Up_e x) over the chosen experts e, plus the shared ones
//
// It may be used by many goroutines at once. Results do not depend on the number
// of threads, nor on how many inputs travel together.
type Layer struct {
	spec    LayerSpec
	gate    tensor.Linear
	routes  *router.Router
	experts []expert.Expert
	shared  []*expert.Expert
	pool    *par.Pool

	mu   sync.Mutex
	idle []*layerScratch
}

type layerScratch struct {
	x        *tensor.Acts
	scores   []float32
	ids      []int32
	weights  []float32
	products tensor.Products
	mixture  expert.Mixture
	input    expert.Input
	routing  router.Scratch
}

// NewLayer returns a layer over the caller's weights. threads is the number of
// worker threads, 0 for GOMAXPROCS. Close it when done.
func NewLayer(spec LayerSpec, w LayerWeights, threads int) (*Layer, error) {
	l := &Layer{spec: spec}
	var errs []error
	matrix := func(name string, x []float32, rows, cols int) tensor.Linear {
		if rows < 1 || cols < 1 || len(x) != rows*cols {
			errs = append(errs, fmt.Errorf("%w: %s: want %d x %d values, found %d", ErrLayer, name, rows, cols, len(x)))
			return tensor.Linear{}
		}
		return tensor.Linear{Weights: kernels.FromFloat32(x, rows, cols)}
	}
	e := spec.Router.Experts
	var err error
	if l.routes, err = router.New(spec.Router, w.SelectBias); err != nil {
		errs = append(errs, fmt.Errorf("%w: %w", ErrLayer, err))
	}
	l.gate = matrix("Router", w.Router, e, spec.Dim)
	if w.RouterBias != nil && len(w.RouterBias) != e {
		errs = append(errs, fmt.Errorf("%w: RouterBias: want %d values, found %d", ErrLayer, e, len(w.RouterBias)))
	}
	l.gate.Bias = w.RouterBias
	if len(w.Gate) != e || len(w.Up) != e || len(w.Down) != e {
		errs = append(errs, fmt.Errorf("%w: want Gate, Up and Down of %d experts, found %d, %d and %d", ErrLayer, e, len(w.Gate), len(w.Up), len(w.Down)))
	} else {
		l.experts = make([]expert.Expert, e)
		for i := range l.experts {
			l.experts[i] = expert.Expert{
				Gate: matrix(fmt.Sprintf("Gate[%d]", i), w.Gate[i], spec.FF, spec.Dim),
				Up:   matrix(fmt.Sprintf("Up[%d]", i), w.Up[i], spec.FF, spec.Dim),
				Down: matrix(fmt.Sprintf("Down[%d]", i), w.Down[i], spec.Dim, spec.FF),
			}
		}
	}
	if len(w.SharedUp) != len(w.SharedGate) || len(w.SharedDown) != len(w.SharedGate) {
		errs = append(errs, fmt.Errorf("%w: want as many SharedUp and SharedDown as SharedGate, found %d, %d and %d", ErrLayer, len(w.SharedUp), len(w.SharedDown), len(w.SharedGate)))
	} else {
		for i := range w.SharedGate {
			ff := len(w.SharedGate[i]) / max(spec.Dim, 1)
			l.shared = append(l.shared, &expert.Expert{
				Gate: matrix(fmt.Sprintf("SharedGate[%d]", i), w.SharedGate[i], ff, spec.Dim),
				Up:   matrix(fmt.Sprintf("SharedUp[%d]", i), w.SharedUp[i], ff, spec.Dim),
				Down: matrix(fmt.Sprintf("SharedDown[%d]", i), w.SharedDown[i], spec.Dim, ff),
			})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	l.pool = par.New(threads)
	return l, nil
}

// Close ends the layer's threads. No call may run or follow.
func (l *Layer) Close() { l.pool.Close() }

// Forward sets dst (n, Dim) to the layer's output for x (n, Dim). observe, if not
// nil, is told the experts of each input. dst and x may be the same slice.
func (l *Layer) Forward(dst, x []float32, observe func(input int, ids []int32, weights []float32)) error {
	dim, e, k := l.spec.Dim, l.spec.Router.Experts, l.spec.Router.TopK
	if len(x)%dim != 0 || len(dst) != len(x) {
		return fmt.Errorf("%w: want inputs of %d values and outputs as many, found %d and %d", ErrLayer, dim, len(x), len(dst))
	}
	n := len(x) / dim
	if n == 0 {
		return nil
	}
	s := l.scratch(n)
	defer l.release(s)
	copy(s.x.F32, x)
	s.products.Reset()
	s.products.Add(&l.gate, &s.x.Acts, s.scores, e)
	s.products.Run(l.pool, n)
	for t := range n {
		ids, w := s.ids[t*k:][:k], s.weights[t*k:][:k]
		l.routes.Route(ids, w, s.scores[t*e:][:e], &s.routing)
		if observe != nil {
			observe(t, ids, w)
		}
	}
	clear(dst)
	s.input = expert.Input{
		X: s.x, N: n, Choice: expert.Choice{K: k, IDs: s.ids, Weights: s.weights}, Experts: e,
		Expert: func(id int) *expert.Expert { return &l.experts[id] }, Shared: l.shared, Dst: dst,
	}
	s.mixture.Run(l.pool, &l.spec.Expert, &s.input)
	return nil
}

// scratch returns room for n inputs.
func (l *Layer) scratch(n int) *layerScratch {
	l.mu.Lock()
	defer l.mu.Unlock()
	var s *layerScratch
	if last := len(l.idle) - 1; last >= 0 {
		s, l.idle = l.idle[last], l.idle[:last]
	} else {
		s = new(layerScratch)
	}
	if s.x == nil || s.x.Rows() < n {
		s.x = tensor.NewActs(n, l.spec.Dim)
		s.scores = make([]float32, n*l.spec.Router.Experts)
		s.ids = make([]int32, n*l.spec.Router.TopK)
		s.weights = make([]float32, n*l.spec.Router.TopK)
	}
	return s
}

func (l *Layer) release(s *layerScratch) {
	l.mu.Lock()
	l.idle = append(l.idle, s)
	l.mu.Unlock()
}
