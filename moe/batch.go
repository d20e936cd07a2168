package moe

import (
	"context"
	"errors"
	"fmt"

	"github.com/coterie-go/coterie/internal/mmap"
	"github.com/coterie-go/coterie/tensor"
)

// Step is one sequence's part of a batch.
type Step struct {
	State  *State
	Tokens []int32 // one or more, after those that State has processed
	All    bool    // logits of every token, not of the last one only

	// Logits is set by ForwardBatch: (Vocab), valid until the next call with State;
	// or (len(Tokens), Vocab) if All is set, the caller's own.
	Logits []float32

	// each, if set, is shown the logits of every token in turn, and Logits stays nil.
	// What scores a long text needs no memory for all its logits.
	each func(i int, logits []float32)

	taken int  // tokens that have been through the model
	held  bool // State is busy with this step
}

// ForwardAll is Forward with the logits of every token: (len(ids), Vocab).
func (m *Model) ForwardAll(ctx context.Context, s *State, ids []int32) ([]float32, error) {
	step := [1]Step{{State: s, Tokens: ids, All: true}}
	err := m.ForwardBatch(ctx, step[:])
	return step[0].Logits, err
}

// ForwardBatch advances several sequences together, prompts and single tokens in
// any mix. The results are, bit for bit, those of one Forward for each step.
// Tokens travel in chunks (WithChunk). On an error each State holds the tokens of
// the chunks that were completed before it.
func (m *Model) ForwardBatch(ctx context.Context, steps []Step) error {
	r, err := m.acquire(ctx, steps)
	if err != nil {
		return err
	}
	defer m.release(r)
	defer r.forget()
	defer giveBack(steps)
	if err := m.take(steps); err != nil {
		return err
	}
	return r.answer(ctx, steps)
}

// answer sends steps that were taken through the model.
func (r *runner) answer(ctx context.Context, steps []Step) error {
	m := r.m
	for i := range steps {
		st := &steps[i]
		switch {
		case st.each != nil:
		case st.All:
			st.Logits = make([]float32, len(st.Tokens)*m.cfg.Vocab)
		case st.State.logits == nil:
			st.State.logits = make([]float32, m.cfg.Vocab)
		}
	}
	if err := r.through(ctx, steps); err != nil {
		return err
	}
	for i := range steps {
		if !steps[i].All && steps[i].each == nil {
			steps[i].Logits = steps[i].State.logits
		}
		m.overrideLogits(&steps[i])
	}
	return nil
}

// overrideLogits gives the option's function the last word on a step's logits.
func (m *Model) overrideLogits(st *Step) {
	f := m.opts.logits
	if f == nil || st.Logits == nil {
		return
	}
	read, rows := st.State.Tokens(), len(st.Logits)/m.cfg.Vocab
	for i := range rows {
		f(read[:len(read)-rows+1+i], st.Logits[i*m.cfg.Vocab:][:m.cfg.Vocab])
	}
}

// forget lets go of the states and logits of a call, so that an idle runner keeps
// none of them alive.
func (r *runner) forget() {
	clear(r.seqs[:cap(r.seqs)])
	clear(r.owner[:cap(r.owner)])
	clear(r.wanted[:cap(r.wanted)])
	clear(r.attending.tiles[:cap(r.attending.tiles)])
}

// take makes the states of steps busy with them and checks the rest, and reports
// every misfit at once, before anything is computed. What another call uses is not
// looked at. giveBack lets go again, after an error too.
func (m *Model) take(steps []Step) error {
	var errs []error
	for i := range steps {
		st := &steps[i]
		st.Logits, st.taken, st.held = nil, 0, false
		if st.State == nil || st.State.m != m {
			errs = append(errs, fmt.Errorf("%w: step %d", ErrState, i))
			continue
		}
		if st.held = st.State.busy.CompareAndSwap(false, true); !st.held {
			errs = append(errs, fmt.Errorf("%w: step %d: another call uses it", ErrState, i))
			continue
		}
		switch {
		case len(st.Tokens) == 0:
			errs = append(errs, fmt.Errorf("%w: step %d: want one token or more, found none", ErrToken, i))
		case len(st.Tokens) > st.State.room() && !m.opts.slide:
			errs = append(errs, fmt.Errorf("%w: step %d: want at most %d positions, found %d processed and %d more", ErrContext, i, m.cfg.Context, st.State.n, len(st.Tokens)))
		}
		for j, id := range st.Tokens {
			if id < 0 || int(id) >= m.cfg.Vocab {
				errs = append(errs, fmt.Errorf("%w: step %d, token %d: want 0 to %d, found %d", ErrToken, i, j, m.cfg.Vocab-1, id))
				break
			}
		}
	}
	return errors.Join(errs...)
}

func giveBack(steps []Step) {
	for i := range steps {
		if st := &steps[i]; st.held {
			st.held = false
			st.State.busy.Store(false)
		}
	}
}

// fill takes the next chunk of tokens from the steps, from token done of step on,
// and returns where the following chunk begins. A state that has to slide first ends
// the chunk.
func (r *runner) fill(steps []Step, step, done int) (int, int) {
	m := r.m
	r.ids, r.pos, r.owner, r.seqs, r.wanted = r.ids[:0], r.pos[:0], r.owner[:0], r.seqs[:0], r.wanted[:0]
	for step < len(steps) && len(r.ids) < m.opts.chunk {
		st := &steps[step]
		n := min(len(st.Tokens)-done, m.opts.chunk-len(r.ids), st.State.room())
		if n == 0 {
			break
		}
		sq := seq{st.State, len(r.ids), n}
		for j := done; j < done+n; j++ {
			t := len(r.ids)
			r.ids, r.pos = append(r.ids, st.Tokens[j]), append(r.pos, st.State.n+j-done)
			r.owner = append(r.owner, st.State)
			switch {
			case st.each != nil:
				r.wanted = append(r.wanted, wanted{token: t, i: j, each: st.each})
			case st.All:
				r.wanted = append(r.wanted, wanted{token: t, dst: st.Logits[j*m.cfg.Vocab:][:m.cfg.Vocab]})
			case j == len(st.Tokens)-1 && st.State.logits != nil:
				r.wanted = append(r.wanted, wanted{token: t, dst: st.State.logits})
			}
		}
		r.seqs = append(r.seqs, sq)
		if done += n; done < len(st.Tokens) {
			break
		}
		step, done = step+1, 0
	}
	return step, done
}

// guarded is run, with faults of a mapped file as errors: it was cut off, or its
// device fails.
func (r *runner) guarded(ctx context.Context) error {
	r.ctx = ctx
	r.pool.Bind(ctx)
	err := mmap.Guard(r.guardedRun)
	r.pool.Bind(nil) //lint:ignore SA1012 nil is how a view is unbound
	r.ctx = nil
	if err == nil {
		return nil
	}
	var fault *mmap.FaultError
	if errors.As(err, &fault) {
		for _, f := range r.m.ckpt.shards {
			if f.Holds(fault.Addr) {
				return fmt.Errorf("%w: %s can no longer be read: %w", ErrFile, f.Path(), err)
			}
		}
		return fmt.Errorf("%w: %s: %w", ErrFile, r.m.ckpt.path, err)
	}
	return err
}

// run sends the filled batch through the model and counts its tokens as
// processed.
func (r *runner) run(ctx context.Context) error {
	n := len(r.ids)
	r.grow(max(n, r.least))
	logitRows := r.m.opts.logitRows
	if rows := min(len(r.wanted), logitRows); len(r.vocab) < rows*r.m.cfg.Vocab {
		r.vocab = make([]float32, rows*r.m.cfg.Vocab)
	}
	if r.last.Rows() < min(len(r.wanted), logitRows) {
		r.last = tensor.NewActs(min(len(r.wanted), logitRows), r.m.cfg.Dim)
	}
	half := r.m.cfg.RoPE.Dim / 2
	for t, p := range r.pos {
		r.m.cfg.RoPE.angles(r.cos[t*half:][:half], r.sin[t*half:][:half], r.m.freq, p)
	}
	size := r.m.cfg.recurrentSize()
	for _, sq := range r.seqs {
		sq.s.grow(sq.n)
		if size > 0 {
			sq.s.rec.begin(size)
		}
	}
	r.badID = nil
	r.askFirst()
	if err := r.forward(ctx); err != nil {
		return err
	}
	for _, sq := range r.seqs {
		sq.s.advance(r.ids[sq.first:][:sq.n])
		if size > 0 {
			sq.s.rec.commit()
		}
	}
	return nil
}

// checkRoute keeps what an override left within bounds: an id out of range
// becomes none and is reported by the call.
func (r *runner) checkRoute(layer int, ids []int32) {
	for i, id := range ids {
		if id < -1 || int(id) >= r.m.cfg.Router.Experts {
			if r.badID == nil {
				r.badID = fmt.Errorf("%w: route override, layer %d: want experts -1 to %d, found %d", ErrOption, layer, r.m.cfg.Router.Experts-1, id)
			}
			ids[i] = -1
		}
	}
}
