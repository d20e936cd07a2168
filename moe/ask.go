package moe

import (
	"cmp"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/coterie-go/coterie/internal/mmap"
	"github.com/coterie-go/coterie/quant"
	"github.com/coterie-go/coterie/tensor"
)

// asks has the system read weights of mapped files right before they are touched for
// the first time: the experts that a layer's router has chosen, and behind them the
// next layer's other weights. Left to page faults, storage has one request at a time
// from each worker, and reads around each what nobody needs: the first token of a file
// of 4.2 GB took 3.0 s and brought in 2.7 GB where 0.74 GB are needed, and takes 0.6
// to 0.7 s and 0.74 GB like this (storage of 1.2 GB/s, read-ahead of 8 MB, two cores).
//
// Asking a layer ahead for experts too, those that its router named early for several
// tokens of a long prompt, read 4 to 16 % more and was no faster.
//
// What has been asked for once is not asked for again. If it has left memory since,
// page faults bring it back.
type asks struct {
	files   []*mmap.File
	dense   []atomic.Bool // all weights of a layer but the routed experts, see addDense
	experts []bitset      // of each layer
	rows    bitset        // of the embedding
}

// bitset is a set that goroutines share.
type bitset []atomic.Uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

// add reports whether i was not in the set before.
func (b bitset) add(i int) bool {
	word, bit := &b[i/64], uint64(1)<<(i%64)
	return word.Load()&bit == 0 && word.Or(bit)&bit == 0
}

func newAsks(files []*mmap.File, w *weights) *asks {
	a := &asks{files: files, dense: make([]atomic.Bool, len(w.layers)+1), rows: newBitset(w.embed.Rows)}
	for i := range w.layers {
		a.experts = append(a.experts, newBitset(len(w.layers[i].experts)))
	}
	return a
}

// asking is what a runner is about to ask for.
type asking struct {
	*asks  // nil if weights are not mapped, or a budget's
	fresh  []int32
	pieces []askPiece
}

type askPiece struct {
	file   *mmap.File
	off, n int64
	i      int // of its matrix
}

// askBytes is the length of a piece. Linux takes no more at once than it would read
// ahead, by default 128 KB; longer pieces were no faster where it would.
const askBytes = 128 << 10

// add adds bytes of a mapped file.
func (a *asking) add(b []byte) {
	for _, f := range a.files {
		off, ok := f.Offset(b)
		if !ok {
			continue
		}
		for i, end := 0, off+int64(len(b)); off < end; i, off = i+1, off+askBytes {
			a.pieces = append(a.pieces, askPiece{f, off, min(askBytes, end-off), i})
		}
		return
	}
}

func (a *asking) addLinear(l *tensor.Linear) {
	a.add(l.Data)
	a.add(l.Scale8)
}

// ask asks for what has been added, with all workers: the system sets pages aside for
// what it will read, 5 to 6 GB of them a second and core.
func (r *runner) ask() {
	r.pool.Run(len(r.asking.pieces), &r.asking)
	r.asking.pieces = r.asking.pieces[:0]
}

// Do asks for piece i. It is a hint, so that an error means nothing.
func (a *asking) Do(_, i int) {
	p := &a.pieces[i]
	p.file.Advise(p.off, p.n, mmap.WillNeed)
}

// askFirst asks for what the batch needs before the first choice of experts: the
// embeddings of its tokens and the first layer's weights.
func (r *runner) askFirst() {
	a, w := &r.asking, r.m.w
	if a.asks == nil {
		return
	}
	for _, id := range r.ids {
		if a.rows.add(int(id)) {
			row := w.embed.Slice(int(id), int(id)+1)
			a.add(row.Data)
		}
	}
	r.addDense(0)
	r.ask()
}

// askExperts asks for the experts that the batch is sent to in layer i, in the order
// in which the mixture takes them, and then for the weights that follow.
func (r *runner) askExperts(l *layer, i int) {
	a := &r.asking
	if a.asks == nil {
		return
	}
	a.fresh = a.fresh[:0]
	for _, id := range r.chosen[:len(r.ids)*r.mixture.Choice.K] {
		if id >= 0 && a.experts[i].add(int(id)) {
			a.fresh = append(a.fresh, id)
		}
	}
	slices.Sort(a.fresh)
	for _, id := range a.fresh {
		a.addLinear(&l.experts[id].Gate)
		a.addLinear(&l.experts[id].Up)
	}
	r.ask()
	for _, id := range a.fresh {
		a.addLinear(&l.experts[id].Down)
	}
	// A task of the mixture's second half takes some rows of all experts: first the
	// first piece of each, then the second.
	slices.SortStableFunc(a.pieces, func(p, q askPiece) int { return cmp.Compare(p.i, q.i) })
	r.ask()
	r.addDense(i + 1)
	r.ask()
}

// addDense adds all weights of layer i but the routed experts, and that part of the
// output's that keeps storage busy while the layer before computes.
func (r *runner) addDense(i int) {
	a, w := &r.asking, r.m.w
	d := &a.dense[i]
	if d.Load() || d.Swap(true) {
		return
	}
	if i < len(w.layers) {
		eachLinear(reflect.ValueOf(&w.layers[i]).Elem(), a.addLinear)
	}
	rows, n := w.output.Rows, len(a.dense)
	part := w.output.Slice(i*rows/n, (i+1)*rows/n)
	a.add(part.Data)
	a.add(part.Scale8)
}

// askVectors asks for the tensors that are read when the checkpoint is opened: norms,
// biases and scales, a few kilobytes here and there in the files.
func (c *checkpoint) askVectors() {
	if len(c.shards) == 0 {
		return
	}
	for _, name := range c.names {
		v, ok, err := c.find(name)
		if ok && err == nil && v.typ.Form() == quant.Float && len(v.data) <= askBytes/2 {
			c.shards[v.shard].Advise(v.offset, int64(len(v.data)), mmap.WillNeed)
		}
	}
}
