package moe

import (
	"context"
	"fmt"
)

// WithSliding lets sequences go on past the model's context. When a state is full
// and another token comes, the first keep tokens and the later half of the rest stay,
// and what lies between them is forgotten. Those that stay are sent through the
// model again, because keys and values know what was before them and where they were:
// results are exactly those of a new state with the tokens that stay, however the
// text was cut into calls. It costs a prompt of about half a context each time half a
// context has been generated, and memory for a second state meanwhile. Without this
// option a full context is ErrContext.
func WithSliding(keep int) Option {
	return func(o *options) error {
		if keep < 0 || keep > 1<<30 {
			return fmt.Errorf("%w: sliding: want 0 tokens to keep or more, found %d", ErrOption, keep)
		}
		o.slide, o.keep = true, keep
		return nil
	}
}

// room returns how many tokens s takes before it is full.
func (s *State) room() int { return s.m.cfg.Context - s.n }

// full reports whether s can take no more tokens.
func (s *State) full() bool { return s.room() <= 0 && !s.m.opts.slide }

// slide makes room in s. On an error s is as it was.
func (r *runner) slide(ctx context.Context, s *State) error {
	m := r.m
	rest := m.cfg.Context - m.opts.keep
	if rest < 2 {
		return fmt.Errorf("%w: sliding: want a context of %d tokens or more to keep %d of them, found %d", ErrContext, m.opts.keep+2, m.opts.keep, m.cfg.Context)
	}
	t := m.NewState()
	steps := [1]Step{{State: t, Tokens: append(append([]int32(nil), s.ids[:m.opts.keep]...), s.ids[s.n-rest/2:s.n]...)}}
	if err := r.through(ctx, steps[:]); err != nil {
		return err
	}
	s.n, s.ids, s.layers, s.rec = t.n, t.ids, t.layers, t.rec
	return nil
}

// through sends the tokens of steps through the model, chunk by chunk.
func (r *runner) through(ctx context.Context, steps []Step) error {
	step, done := 0, 0 // the next token to take
	for step < len(steps) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s := steps[step].State; s.room() <= 0 {
			if err := r.slide(ctx, s); err != nil {
				return err
			}
		}
		first := step
		step, done = r.fill(steps, step, done)
		if err := r.guarded(ctx); err != nil {
			return err
		}
		for i := first; i < step; i++ {
			steps[i].taken = len(steps[i].Tokens)
		}
		if step < len(steps) {
			steps[step].taken = done
		}
	}
	return nil
}
