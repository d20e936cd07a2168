package tensor

import (
	"github.com/coterie-go/coterie/internal/par"
	"github.com/coterie-go/coterie/kernels"
)

// Linear is an affine map y = W x + b. W's rows are outputs; if Transposed, they
// are inputs, as some checkpoints store them.
type Linear struct {
	kernels.Weights
	Bias       []float32 // (out) or nil
	Transposed bool
	Name       string // in GGUF's words; experts of a layer share theirs
}

// In and Out return the lengths of x and y.
func (l *Linear) In() int {
	if l.Transposed {
		return l.Rows
	}
	return l.K
}

func (l *Linear) Out() int {
	if l.Transposed {
		return l.K
	}
	return l.Rows
}

// Bytes returns the bytes of weights that one product reads.
func (l *Linear) Bytes() int64 {
	if l.Format == nil {
		return 0
	}
	n := int64(l.Rows) * int64(l.K/l.Format.Block*l.Format.Bytes)
	if l.Scale8 != nil {
		n += int64(l.Rows) * int64(l.K/32)
	}
	return n + 4*int64(len(l.Scale32)+len(l.Bias))
}

// Apply computes outputs lo..hi-1 for n rows of x, those that cols names or the
// first n if it is nil: output r of the j-th goes to dst[j*ld+r-lo].
func (l *Linear) Apply(dst []float32, ld, lo, hi int, x *kernels.Acts, cols []int32, n int, s *kernels.Scratch) {
	// The view lives in the scratch: arguments of calls through the kernels' table
	// escape, and a fresh one would be an allocation a task.
	if l.Transposed {
		s.View = l.Columns(lo, hi)
		kernels.MulT(dst, ld, &s.View, x.F32, x.K, cols, n, s)
	} else {
		s.View = l.Slice(lo, hi)
		kernels.Mul(dst, ld, &s.View, x, cols, n, s)
	}
	if l.Bias != nil {
		for j := range n {
			kernels.Add(dst[j*ld:][:hi-lo], l.Bias[lo:hi])
		}
	}
}

// From returns the weights from output lo on, for [kernels.Scratch.Next]; nil where
// a row is not an output, or none is left.
func (l *Linear) From(lo int) []byte {
	if l.Transposed || lo >= l.Rows {
		return nil
	}
	return l.Data[lo*l.Stride:]
}

// A Product is one linear map within a parallel loop: row j of x, (n, In), to
// Dst[j*Ld:][:Out].
type Product struct {
	Linear *Linear
	X      *kernels.Acts
	Dst    []float32
	Ld     int
	first  int // first task
	rows   int // rows a task
}

// Products runs several products as one parallel loop, in tasks of output rows.
// The zero value is ready; it is reused so that a step allocates nothing.
type Products struct {
	Observe Observer // nil for none
	Then    *Ahead   // what is read afterwards; nil if that is not known

	list    []Product
	n       int
	scratch []kernels.Scratch
}

// Reset empties the list.
func (p *Products) Reset() { p.list = p.list[:0] }

// Add appends a product; a nil Linear is left out.
func (p *Products) Add(l *Linear, x *kernels.Acts, dst []float32, ld int) {
	if l == nil {
		return
	}
	p.list = append(p.list, Product{Linear: l, X: x, Dst: dst, Ld: ld})
}

// taskRows is how many output rows a task computes: few enough to spread over
// the workers, many enough to fill a tile and outweigh the hand-out.
func taskRows(total, workers int) int {
	r := total / (workers * 6)
	return min(max((r+31)&^31, 32), 256)
}

// Run computes all products for n rows of activations.
func (p *Products) Run(pool *par.Pool, n int) {
	if n == 0 || len(p.list) == 0 {
		return
	}
	if p.Observe != nil && !pool.Stopped() {
		p.show(n)
	}
	if len(p.scratch) < pool.Workers() {
		p.scratch = make([]kernels.Scratch, pool.Workers())
	}
	total := 0
	for i := range p.list {
		total += p.list[i].Linear.Out()
	}
	tasks := 0
	for i := range p.list {
		q := &p.list[i]
		q.first, q.rows = tasks, taskRows(total, pool.Workers())
		tasks += (q.Linear.Out() + q.rows - 1) / q.rows
	}
	p.n = n
	pool.Run(tasks, p)
}

// Ahead appends what the worker reads afterwards.
func (p *Products) Ahead(dst [][]byte, worker int) [][]byte { return p.Then.Ahead(dst, worker) }

// Do computes task i.
func (p *Products) Do(worker, i int) {
	k := len(p.list) - 1
	for p.list[k].first > i {
		k--
	}
	q := &p.list[k]
	lo := (i - q.first) * q.rows
	hi := min(lo+q.rows, q.Linear.Out())
	s := &p.scratch[worker]
	s.Next = q.Linear.From(hi)
	if s.Next == nil && k+1 < len(p.list) {
		s.Next = p.list[k+1].Linear.From(0)
	}
	q.Linear.Apply(q.Dst[lo:], q.Ld, lo, hi, q.X, nil, p.n, s)
}
