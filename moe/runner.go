package moe

import (
	"context"
	"sync/atomic"

	"github.com/coterie-go/coterie/expert"
	"github.com/coterie-go/coterie/internal/mmap"
	"github.com/coterie-go/coterie/internal/par"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/router"
	"github.com/coterie-go/coterie/tensor"
)

type (
	rows   = tensor.Acts
	forms  = tensor.Forms
	linear = tensor.Linear
)

// runner holds the scratch memory of one call: the current wave of activations.
// Its buffers grow to the largest batch seen and are reused, so that a step
// allocates nothing.
type runner struct {
	m    *Model
	ctx  context.Context // of the running call
	pool *par.Pool       // the model's, bound to ctx: what is left of a loop when ctx ends is left out

	guardedRun func() error

	// The batch: n tokens of one or several sequences.
	ids    []int32  // (n)
	pos    []int    // (n)
	owner  []*State // (n)
	seqs   []seq
	wanted []wanted

	room      int       // rows that the buffers have
	x         []float32 // (n, Dim) residual stream
	h         *rows     // (n, Dim) normed
	q         []float32 // (n, Heads, dk)
	k, v      []float32 // (n, KVHeads, HeadDim), (n, KVHeads, ValueDim)
	heads     *rows     // (n, Heads*ValueDim) attention's output
	projected []float32 // (n, Dim)
	cos, sin  []float32 // (n, RoPE.Dim/2)

	// Latent attention.
	qa     *rows     // (n, QRank)
	qHeads []float32 // (n, Heads, HeadDim), twice that with gates
	kv     []float32 // (n, KVRank+RopeDim)
	nope   *rows     // (Heads*n, NopeDim)
	mixed  *rows     // (Heads*n, KVRank)

	indexing indexBuffers
	delta    deltaBuffers

	// Mixture.
	scores  []float32 // (n, Experts)
	chosen  []int32   // (n, TopK)
	gates   []float32 // (n, TopK)
	shared  []float32 // (n)
	bank    []expert.Expert
	mixture expert.Input
	experts expert.Mixture
	routing []router.Scratch // a worker each

	// Under a budget.
	lease *expert.Lease
	turn  chan *runner // where the runner waits for its next call
	least int          // tokens that it makes room for at least
	guess guess        // at the next layer's experts

	asking asking // of mapped files

	memory *mmap.Arena // for activations of a runner with a turn; nil for the heap

	badID error

	last  *rows     // rows whose logits are wanted
	vocab []float32 // (rows of last, Vocab)

	products  tensor.Products
	ahead     tensor.Ahead // what follows the running loop
	infinite  atomic.Int32 // first token whose row is not finite
	norming   normTasks
	tokens    tokenTasks
	attending attnTasks
	latent    latentTasks
	work      []attnWork
}

// seq is a run of the batch's tokens that belongs to one state.
type seq struct {
	s        *State
	first, n int
}

// wanted is a token of the batch whose logits go to dst, or are shown to each as
// those of the i-th token of its step.
type wanted struct {
	token int
	dst   []float32
	i     int
	each  func(i int, logits []float32)
}

func newRunner(m *Model) *runner {
	r := &runner{m: m, pool: m.pool.View(), work: make([]attnWork, m.pool.Workers()), routing: make([]router.Scratch, m.pool.Workers())}
	r.asking.asks = m.asks
	r.ahead.Workers, r.products.Then, r.mixture.Then = m.pool.Workers(), &r.ahead, &r.ahead
	r.mixture.Expert = func(id int) *expert.Expert { return &r.bank[id] }
	r.guardedRun = func() error { return r.run(r.ctx) }
	r.products.Observe, r.mixture.Observe = tensor.Observer(m.opts.activate), tensor.Observer(m.opts.activate)
	r.mixture.Exact, r.mixture.Scale = m.opts.exact, m.cfg.ResidualScale
	return r
}

// grow makes room for n tokens.
func (r *runner) grow(n int) {
	if n <= r.room {
		return
	}
	c := &r.m.cfg
	floats := func(old []float32, per int) []float32 {
		r.memory.Drop(old)
		return r.memory.Floats(n * per)
	}
	acts := func(old *rows, each, k int) *rows { // rows of k, each so many a token
		if old != nil {
			r.memory.Drop(old.F32)
		}
		return tensor.ActsOf(r.memory.Floats(n*each*k), k)
	}
	r.room = n
	r.x, r.h, r.projected = floats(r.x, c.Dim), acts(r.h, 1, c.Dim), floats(r.projected, c.Dim)
	r.q = floats(r.q, c.Heads*r.m.cache.dk)
	r.heads = acts(r.heads, 1, c.Heads*c.ValueDim)
	r.cos, r.sin = floats(r.cos, c.RoPE.Dim/2), floats(r.sin, c.RoPE.Dim/2)
	if a := c.Latent; a != nil {
		if a.QRank > 0 {
			r.qa = acts(r.qa, 1, a.QRank)
		}
		r.qHeads, r.kv = floats(r.qHeads, c.Heads*c.HeadDim), floats(r.kv, a.KVRank+a.RopeDim)
		if c.Indexer != nil {
			r.indexing.grow(c.Indexer, n)
		}
		r.nope, r.mixed = acts(r.nope, c.Heads, a.NopeDim), acts(r.mixed, c.Heads, a.KVRank)
	} else {
		r.k, r.v = floats(r.k, c.KVHeads*c.HeadDim), floats(r.v, c.KVHeads*c.ValueDim)
		if c.AttnGate {
			r.qHeads = floats(r.qHeads, c.Heads*2*c.HeadDim)
		}
	}
	if c.Delta != nil {
		r.delta.grow(c.Delta, n)
	}
	if c.Routed() > 0 {
		r.scores, r.gates = floats(r.scores, c.Router.Experts), floats(r.gates, c.Router.TopK)
		r.chosen = make([]int32, n*c.Router.TopK)
	}
	r.shared = floats(r.shared, 1)
	r.mixture.X, r.mixture.Dst = r.h, r.x
	r.mixture.Choice = expert.Choice{IDs: r.chosen, Weights: r.gates}
	if rows := min(n, r.m.opts.logitRows); r.last == nil || r.last.Rows() < rows {
		r.last = tensor.NewActs(rows, c.Dim)
	}
}

// row returns token t's row of the residual stream.
func (r *runner) row(t int) []float32 { return r.x[t*r.m.cfg.Dim:][:r.m.cfg.Dim] }

// forms returns f, or none if activations are to stay in float32.
func (r *runner) forms(f forms) forms {
	if r.m.opts.exact {
		return forms{}
	}
	return f
}

// norm sets dst to the normed x.
func (c *Config) norm(dst, x, w, bias []float32) {
	if c.Norm == LayerNorm {
		kernels.LayerNorm(dst, x, w, bias, c.NormEps)
	} else {
		kernels.RMSNorm(dst, x, w, c.NormEps)
	}
}

// scale multiplies x by a; 0 stands for 1.
func scale(x []float32, a float32) {
	if a == 0 || a == 1 {
		return
	}
	for i, v := range x {
		x[i] = v * a
	}
}

// show passes the residual stream to the observer. What comes after the last
// layer is shown normed.
func (r *runner) show(layer int) {
	if f := r.m.opts.hidden; f != nil && layer < len(r.m.w.layers) {
		f(layer, r.x[:len(r.ids)*r.m.cfg.Dim])
	}
}

// normTasks norms a token a task.
type normTasks struct {
	r       *runner
	dst     *rows
	w, bias []float32
}

func (n *normTasks) Do(_, t int) {
	n.r.m.cfg.norm(n.dst.Row(t), n.r.row(t), n.w, n.bias)
	n.dst.Quantize(t)
}

// tokenTasks calls a method for each token of the batch.
type tokenTasks struct {
	r *runner
	l *layer
	i int
	f func(r *runner, l *layer, i, t, worker int)
}

func (j *tokenTasks) Do(worker, t int) { j.f(j.r, j.l, j.i, t, worker) }

// eachToken calls f for each token t of the batch, in parallel.
func (r *runner) eachToken(f func(r *runner, l *layer, i, t, worker int), l *layer, i int) {
	r.tokens = tokenTasks{r, l, i, f}
	r.pool.Run(len(r.ids), &r.tokens)
}
