package expert

import (
	"github.com/coterie-go/coterie/internal/mmap"
	"github.com/coterie-go/coterie/internal/par"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/tensor"
)

// A Choice says which experts n tokens go to: token t to IDs[t*K+i] with weight
// Weights[t*K+i], in the order in which their outputs are added. An id of -1
// stands for none.
type Choice struct {
	K       int
	IDs     []int32   // (n, K)
	Weights []float32 // (n, K)
}

// Mixture computes a layer's mixture of experts for a chunk of tokens, in two
// parallel loops: gate, up and activation in tasks of one expert's hidden rows;
// then down in tasks of output rows over all experts, so that a token's outputs
// are added in the router's order by one worker. Tokens are never copied: a
// task names the rows of x that it reads.
//
// A Mixture holds only scratch; it serves any layer, one call at a time.
type Mixture struct {
	Memory *mmap.Arena // for the larger part of it; nil for the heap

	spec   *Spec
	x      *tensor.Acts
	exact  bool
	n      int
	choice Choice
	always int // experts that are always on
	dst    []float32
	scale  float32
	gate   []float32

	parts  []part
	order  []int32   // tokens sorted by expert
	slot   []int32   // (n, K): row of each choice in hidden
	before []float32 // weights of the choices in the order of hidden's rows, if they multiply the input
	start  []int32   // (E+1): where each expert's run ends
	active []int32   // experts that were chosen, in ascending order,
	counts []int32   // and by how many tokens
	iota   []int32   // 0, 1, 2, ...
	hidden map[bufferKey]*tensor.Acts
	tasks  int
	rows   int // output rows of a down task
	down   downTasks
	then   *tensor.Ahead
	see    tensor.Observer
	seen   []float32 // a weighted input, to be shown
	waves  waves
	work   []workspace
}

// part is one expert with the tokens that go to it.
type part struct {
	e      *Expert
	id     int     // of the routed experts
	of     int     // how many there are; 1 for those always on
	cols   []int32 // rows of x, nil for all
	n      int
	hidden *tensor.Acts
	slot   int // first row in hidden
	first  int // first gate-up task
	rows   int // hidden rows a task
	y      int // first row in a worker's y
}

type workspace struct {
	up, y, sum []float32
	scratch    kernels.Scratch
}

func (w *workspace) floats(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		*buf = make([]float32, n)
	}
	return (*buf)[:n]
}

// Input is what a mixture works on.
type Input struct {
	X       *tensor.Acts // (n, Dim), prepared in the forms that the experts need
	N       int
	Choice  Choice
	Experts int                  // E
	Expert  func(id int) *Expert // routed experts; called for those chosen
	Shared  []*Expert            // always on, added after the routed ones
	Gate    []float32            // (n) weights of the shared experts, nil for 1
	Dst     []float32            // (n, Dim): the mixture is added to it
	Exact   bool                 // hidden activations stay in float32
	Then    *tensor.Ahead        // what is read after the mixture; nil if that is not known
	Scale   float32              // what is added is multiplied by Scale, if that is neither 0 nor 1
	Observe tensor.Observer      // shown what every matrix is multiplied with, by one goroutine; nil for none
}

// Run adds the mixture's output to in.Dst.
func (m *Mixture) Run(pool *par.Pool, spec *Spec, in *Input) {
	if in.N == 0 {
		return
	}
	m.begin(pool, spec, in)
	m.group(in)
	m.layRouted(in, m.active, in.Expert, pool.Workers())
	m.layShared(in, pool.Workers())
	m.together(pool, 64)
}

// begin takes over what a call works on.
func (m *Mixture) begin(pool *par.Pool, spec *Spec, in *Input) {
	m.spec, m.x, m.n, m.choice = spec, in.X, in.N, in.Choice
	m.dst, m.scale, m.gate, m.exact, m.always = in.Dst, in.Scale, in.Gate, in.Exact, len(in.Shared)
	m.see, m.then = in.Observe, in.Then
	m.down = downTasks{m, pool.Workers()}
	if len(m.work) < pool.Workers() {
		m.work = make([]workspace, pool.Workers())
	}
}

// together computes all parts at once. Of many tokens, a task has at most that many
// output rows: with 64, a worker's y stays in the second-level cache, and what the
// tasks read again and again, hidden, is read half as often as with 32.
func (m *Mixture) together(pool *par.Pool, most int) {
	if len(m.parts) == 0 {
		return
	}
	dim := m.x.K
	m.rows = max(32, min(256, (dim/(pool.Workers()*6)+31)&^31))
	if m.n > 16 {
		m.rows = max(32, min(most, dim/(4*pool.Workers())&^31))
	}
	pool.Run(m.tasks, m)
	m.show()
	pool.Run((dim+m.rows-1)/m.rows, &m.down)
}

// group sorts the choices by expert (a stable counting sort).
func (m *Mixture) group(in *Input) {
	e, k := in.Experts, in.Choice.K
	pairs := m.n * k
	m.start = resize(m.start, e+1)
	m.order, m.slot = resize(m.order, pairs), resize(m.slot, pairs)
	if m.spec.WeightBefore && cap(m.before) < pairs {
		m.before = make([]float32, pairs)
	}
	m.before = m.before[:min(cap(m.before), pairs)]
	clear(m.start)
	for _, id := range in.Choice.IDs[:pairs] {
		if id >= 0 {
			m.start[id+1]++
		}
	}
	for i := range e {
		m.start[i+1] += m.start[i]
	}
	for i, id := range in.Choice.IDs[:pairs] {
		m.slot[i] = -1
		if id >= 0 {
			at := m.start[id]
			m.order[at], m.slot[i] = int32(i/k), at
			if m.spec.WeightBefore {
				m.before[at] = in.Choice.Weights[i]
			}
			m.start[id]++
		}
	} // now start[id] is where id's run ends

	for i := len(m.iota); i < max(pairs, m.n*len(in.Shared)); i++ {
		m.iota = append(m.iota, int32(i))
	}
	m.parts, m.tasks = m.parts[:0], 0
	m.active, m.counts = m.active[:0], m.counts[:0]
	lo := int32(0)
	for id, hi := range m.start[:e] {
		if hi > lo {
			m.active, m.counts = append(m.active, int32(id)), append(m.counts, hi-lo)
			lo = hi
		}
	}
}

// layRouted lays out the tasks of some of the chosen experts.
func (m *Mixture) layRouted(in *Input, ids []int32, get func(id int) *Expert, workers int) {
	var h *tensor.Acts
	for _, id := range ids {
		lo, hi := int32(0), m.start[id]
		if id > 0 {
			lo = m.start[id-1]
		}
		x := get(int(id))
		if h == nil {
			h = m.buffer(x, m.n*m.choice.K, true)
		}
		m.add(part{e: x, id: int(id), of: in.Experts, cols: m.order[lo:hi], n: int(hi - lo), hidden: h, slot: int(lo), y: int(lo)}, workers)
	}
}

// layShared lays out the tasks of the experts that are always on.
func (m *Mixture) layShared(in *Input, workers int) {
	for i, x := range in.Shared {
		h := m.buffer(x, m.n*len(in.Shared), false)
		m.add(part{e: x, of: 1, n: m.n, hidden: h, slot: i * m.n, y: m.n*m.choice.K + i*m.n}, workers)
	}
}

func resize(s []int32, n int) []int32 {
	if cap(s) < n {
		return make([]int32, n)
	}
	return s[:n]
}

// bufferKey: routed experts share one buffer, those always on another.
type bufferKey struct {
	ff     int
	routed bool
}

// buffer returns at least rows hidden rows for experts like x.
func (m *Mixture) buffer(x *Expert, rows int, routed bool) *tensor.Acts {
	var forms tensor.Forms
	if !m.exact {
		forms.Need(&x.Down)
	}
	if m.hidden == nil {
		m.hidden = make(map[bufferKey]*tensor.Acts)
	}
	key := bufferKey{x.FF(), routed}
	h := m.hidden[key]
	if h == nil || h.Rows() < rows {
		if h != nil {
			m.Memory.Drop(h.F32)
		}
		h = tensor.ActsOf(m.Memory.Floats(rows*x.FF()), x.FF())
		m.hidden[key] = h
	}
	h.Use(forms)
	return h
}

// add appends a part and lays out its tasks.
func (m *Mixture) add(p part, workers int) {
	ff := p.e.FF()
	p.first, p.rows = m.tasks, 256
	if ff < 256*workers && p.e.downBlock() != 256 {
		p.rows = max(64, (ff/(2*workers)+31)&^31)
	}
	m.parts = append(m.parts, p)
	m.tasks += (ff + p.rows - 1) / p.rows
}

func (e *Expert) downBlock() int {
	block, _ := e.Down.Format.Integer()
	return block
}

// Do computes gate, up and activation for some hidden rows of one expert.
func (m *Mixture) Do(worker, i int) {
	lo, hi := 0, len(m.parts)-1
	for lo < hi { // the last part with first <= i
		if mid := (lo + hi + 1) / 2; m.parts[mid].first <= i {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	p, w := &m.parts[lo], &m.work[worker]
	ff := p.e.FF()
	a := (i - p.first) * p.rows
	b := min(a+p.rows, ff)
	gate := p.hidden.F32[p.slot*ff+a:]
	up := w.floats(&w.up, p.n*(b-a))
	toGate, toUp := p.e.Gate, p.e.Up
	before := m.spec.WeightBefore && p.cols != nil
	if before {
		toGate.Bias, toUp.Bias = nil, nil // added once the input's weight is in
	}
	w.scratch.Next = toUp.From(a)
	toGate.Apply(gate, ff, a, b, &m.x.Acts, p.cols, p.n, &w.scratch)
	if w.scratch.Next = toGate.From(b); b == ff && lo+1 < len(m.parts) {
		w.scratch.Next = m.parts[lo+1].e.Gate.From(0)
	}
	toUp.Apply(up, b-a, a, b, &m.x.Acts, p.cols, p.n, &w.scratch)
	for j := range p.n {
		g, u := gate[j*ff:][:b-a], up[j*(b-a):][:b-a]
		if before {
			weigh(g, m.before[p.slot+j], p.e.Gate.Bias, a)
			weigh(u, m.before[p.slot+j], p.e.Up.Bias, a)
		}
		m.spec.activate(g, u)
		p.hidden.QuantizeRange(p.slot+j, a, b)
	}
}

// weigh turns W x into W (w x) + bias, for outputs from row a on. Scaling outputs
// spares a second copy of x for each expert, and agrees with scaling the input to
// within rounding.
func weigh(y []float32, w float32, bias []float32, a int) {
	for i, v := range y {
		y[i] = v * w
	}
	if bias != nil {
		kernels.Add(y, bias[a:a+len(y)])
	}
}

// pairs returns how many pairs of a token and an expert there are room for.
func (m *Mixture) pairs() int { return m.n * (m.choice.K + m.always) }

// Ahead appends the rows of all experts that the worker's share of the second loop
// begins with.
func (m *Mixture) Ahead(dst [][]byte, worker int) [][]byte {
	tasks := (m.x.K + m.rows - 1) / m.rows
	a, left := par.First(tasks, worker, m.down.workers)*m.rows, par.AheadBytes
	for i := range m.parts {
		l := &m.parts[i].e.Down
		b := l.From(a)
		b = b[:min(len(b), m.rows*l.Stride, left)]
		dst, left = append(dst, b), left-len(b)
	}
	return dst
}

type downTasks struct {
	m       *Mixture
	workers int
}

// Ahead appends what the worker reads after the mixture.
func (d *downTasks) Ahead(dst [][]byte, worker int) [][]byte { return d.m.then.Ahead(dst, worker) }

// Do computes some output rows of all experts and adds them up.
func (d *downTasks) Do(worker, i int) {
	m := d.m
	w := &m.work[worker]
	a := i * m.rows
	b := min(a+m.rows, m.x.K)
	r := b - a
	y := w.floats(&w.y, m.pairs()*r)
	for i := range m.parts {
		p := &m.parts[i]
		if i+1 < len(m.parts) {
			w.scratch.Next = m.parts[i+1].e.Down.From(a)
		} else {
			w.scratch.Next = m.parts[0].e.Down.From(b)
		}
		p.e.Down.Apply(y[p.y*r:], r, a, b, &p.hidden.Acts, m.iota[p.slot:p.slot+p.n], p.n, &w.scratch)
	}
	for t := range m.n {
		m.sum(w, t, a, y, r)
	}
}

// sum adds the outputs for token t, rows a to a+r-1, to dst. Row i of y holds r
// outputs of pair i: routed pairs in the order of m.slot, then the experts that
// are always on.
func (m *Mixture) sum(w *workspace, t, a int, y []float32, r int) {
	k := m.choice.K
	sum := w.floats(&w.sum, r)
	clear(sum)
	for i := range k {
		s := m.slot[t*k+i]
		switch {
		case s < 0:
		case m.spec.WeightBefore:
			kernels.Add(sum, y[int(s)*r:][:r])
		default:
			kernels.Axpy(sum, m.choice.Weights[t*k+i], y[int(s)*r:][:r])
		}
	}
	for i := range m.always {
		out := y[(m.n*k+i*m.n+t)*r:][:r]
		if m.gate != nil {
			kernels.Axpy(sum, m.gate[t], out)
		} else {
			kernels.Add(sum, out)
		}
	}
	dst := m.dst[t*m.x.K+a:][:r]
	if m.scale != 0 && m.scale != 1 {
		kernels.Axpy(dst, m.scale, sum)
	} else {
		kernels.Add(dst, sum)
	}
}
