package moe

import (
	"context"
	"errors"
	"fmt"

	"github.com/coterie-go/coterie/expert"
	"github.com/coterie-go/coterie/internal/mmap"
)

// budgetOptions are the options about memory for experts.
type budgetOptions struct {
	bytes    int64 // 0 for none
	auto     bool
	policy   expert.NewPolicy
	prefetch bool
	wrap     func(expert.Source) expert.Source // tests inject faults
}

// Allowance is what a model with a budget may take beside its budget, its dense
// weights and the caches of its states: activations, the garbage collector's
// slack, the program itself.
const Allowance = 64 << 20

// WithExpertBudget keeps the routed experts within so many bytes of memory and
// reads from the file what is not there; results are the same bits as without. The
// process stays within the budget, the dense weights (read into memory once), the
// states' caches and [Allowance]. To that end chunks may be made shorter than
// WithChunk says, and at most two calls run at a time: others wait.
//
// A budget that cannot hold the experts of one layer that a token needs is an
// error (expert.ErrBudget) that says the minimum. The model must be a file.
//
// Pages that the system already caches for the file are left in its cache; what
// has to be fetched from storage is not kept there (on Linux).
func WithExpertBudget(bytes int64) Option {
	return func(o *options) error {
		if bytes < 1 {
			return fmt.Errorf("%w: expert budget: want 1 byte or more, found %d", ErrOption, bytes)
		}
		o.budget.bytes = bytes
		return nil
	}
}

// WithAutoBudget takes the budget that [Plan] advises for the memory that is
// available now, or none if everything fits.
func WithAutoBudget() Option {
	return func(o *options) error { o.budget.auto = true; return nil }
}

// WithExpertPolicy sets what a budget keeps: expert.DecayedLFU by default,
// expert.LRU, expert.LFU, or the caller's own.
func WithExpertPolicy(p expert.NewPolicy) Option {
	return func(o *options) error {
		if p == nil {
			return fmt.Errorf("%w: expert policy: want one, found nil", ErrOption)
		}
		o.budget.policy = p
		return nil
	}
}

// WithExpertPrefetch lets single tokens read the next layer's experts ahead, which
// its router names when it is applied a layer early. It is in use only while it is
// measured to shorten steps; results do not depend on it.
func WithExpertPrefetch() Option {
	return func(o *options) error { o.budget.prefetch = true; return nil }
}

// ExpertMetrics returns what the budget's store has done so far, the zero value
// for a model without a budget.
func (m *Model) ExpertMetrics() expert.Metrics {
	if m.budget == nil {
		return expert.Metrics{}
	}
	return m.budget.store.Metrics()
}

// budget is what a model with an expert budget has beside others.
type budget struct {
	store *expert.Store
	ahead *ahead
	turns
}

// limit puts the model under its budget, if it has one.
func (m *Model) limit() (err error) {
	o := &m.opts.budget
	if o.auto && o.bytes == 0 {
		p, err := m.plan(0)
		if err != nil {
			return err
		}
		o.bytes = p.Budget
	}
	if o.bytes == 0 || m.cfg.Routed() == 0 {
		return nil
	}
	if len(m.ckpt.shards) == 0 {
		return fmt.Errorf("%w: expert budget: want a file, found a model in memory", ErrOption)
	}
	b := &budget{}
	c := expert.StoreConfig{Budget: o.bytes, Active: m.cfg.Router.TopK, Policy: o.policy}
	for _, f := range m.ckpt.shards {
		var s expert.Source = source{f}
		if o.wrap != nil {
			s = o.wrap(s)
		}
		c.Files = append(c.Files, s)
	}
	for i := range m.w.layers {
		experts := m.w.layers[i].experts
		stored := make([]expert.Stored, len(experts))
		for e := range experts {
			if stored[e], err = expert.Place(&experts[e], m.locate); err != nil {
				return fmt.Errorf("%w: layer %d, expert %d: %w", ErrTensor, i, e, err)
			}
		}
		c.Layers = append(c.Layers, stored)
	}
	if b.store, err = expert.NewStore(c); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrOption, m.ckpt.path, err)
	}
	if m.held, err = m.hold(false); err != nil {
		return errors.Join(err, b.store.Close())
	}
	if o.prefetch {
		b.ahead = &ahead{first: -1}
		for i := range m.w.layers {
			if m.w.layers[i].routes != nil {
				if b.ahead.last = i; b.ahead.first < 0 {
					b.ahead.first = i
				}
			}
		}
	}
	m.fitScratch()
	b.turns = newTurns(m)
	m.budget = b
	return nil
}

// locate says in which file, and where, mapped bytes lie.
func (m *Model) locate(p []byte) (file int, off int64, ok bool) {
	for i, f := range m.ckpt.shards {
		if off, ok := f.Offset(p); ok {
			return i, off, true
		}
	}
	return 0, 0, false
}

// source is a mapped file as a store reads it.
type source struct{ *mmap.File }

func (s source) ReadAt(p []byte, off int64) (int, error) { return s.ReadOnce(p, off) }

// halted says why a call shall not go on to the next layer.
func (m *Model) halted(ctx context.Context) error {
	if m.stopping.Load() {
		return ErrClosed
	}
	return ctx.Err()
}

// stop makes calls that wait for memory or a file return, and others after the
// layer they are in.
func (m *Model) stop() error {
	m.stopping.Store(true)
	if m.budget == nil {
		return nil
	}
	close(m.budget.closing)
	return m.budget.store.Close()
}

// free releases the memory that weights and a budget took, once no call runs.
func (m *Model) free() error {
	if m.budget != nil {
		for _, turn := range []chan *runner{m.budget.whole, m.budget.few} {
			(<-turn).memory.Free()
		}
	}
	return mmap.Free(m.held)
}

// leased computes a layer's mixture with experts from the store.
func (r *runner) leased(ctx context.Context, i int) error {
	if r.lease == nil {
		r.lease = r.m.budget.store.Lease()
		if r.m.budget.ahead != nil {
			r.lease.Begun = r.readAhead
		}
	}
	a := r.m.budget.ahead
	r.beginAhead(a, i)
	err := r.experts.RunLeased(ctx, r.pool, &r.m.cfg.Expert, &r.mixture, r.lease, i)
	switch {
	case err == nil:
		r.endAhead(a, i)
		return nil
	case errors.Is(err, expert.ErrClosed):
		return ErrClosed
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("%w: %w", ErrFile, err)
}

// fitScratch shortens chunks so that the activations leave room in the allowance
// for the program and for the collector, which lets the heap double.
func (m *Model) fitScratch() {
	room := int64(Allowance - 16<<20)
	m.opts.logitRows = int(max(1, min(int64(m.opts.logitRows), room/16/int64(4*m.cfg.Vocab))))
	room -= 2 * 2 * int64(4*m.opts.logitRows*m.cfg.Vocab)
	heap, off := m.scratchPerToken()
	m.opts.chunk = int(max(1, min(int64(m.opts.chunk), room/(2*heap+off)-fewTokens)))
}
