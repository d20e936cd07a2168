package moe

import (
	"context"

	"github.com/coterie-go/coterie/internal/mmap"
)

// Activations count as memory, so a model with a budget has two runners, and calls
// take turns with them: one of a whole chunk, and one for few tokens, so that
// single tokens need not wait for a prompt. While one waits for experts, the other
// computes.
const fewTokens = 8

// turns are the runners of a model with a budget that wait for calls.
type turns struct {
	whole, few chan *runner
	closing    chan struct{}
}

func newTurns(m *Model) turns {
	t := turns{make(chan *runner, 1), make(chan *runner, 1), make(chan struct{})}
	whole, few := newRunner(m), newRunner(m)
	whole.useArena()
	few.useArena()
	whole.turn, whole.least = t.whole, m.opts.chunk
	few.turn, few.least = t.few, min(fewTokens, m.opts.chunk)
	t.whole <- whole
	t.few <- few
	return t
}

// enter waits for a runner for a call. There is none, and no wait, without a
// budget.
func (b *budget) enter(ctx context.Context, steps []Step) (*runner, error) {
	if b == nil {
		return nil, nil
	}
	n := 0
	for i := range steps {
		n += len(steps[i].Tokens)
	}
	few := b.few
	if n > fewTokens {
		few = nil
	}
	select { // the small one first
	case r := <-few:
		return r, nil
	default:
	}
	select {
	case r := <-few:
		return r, nil
	case r := <-b.whole:
		return r, nil
	case <-b.closing:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// useArena takes a runner's activations out of the collector's sight: of what is on
// the heap as much again may lie there as garbage.
func (r *runner) useArena() {
	r.memory = new(mmap.Arena)
	r.experts.Memory = r.memory
}

// leave gives a runner back to those that wait for one, if it is one of a budget.
func (r *runner) leave() bool {
	if r == nil || r.turn == nil {
		return false
	}
	r.turn <- r
	return true
}
