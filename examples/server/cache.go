package main

import (
	"context"
	"sync"

	"github.com/coterie-go/coterie/moe"
)

// cache keeps the states of the last answers: the next message of a conversation
// comes with all those before it, which then need not be processed again. What is
// answered does not depend on it.
type cache struct {
	mu     sync.Mutex
	states []*moe.State // the oldest first
	size   int
}

// Fewer shared tokens than this are not worth a state of another conversation.
const worth = 8

// take returns a state with the longest beginning of ids that is there; at least
// one token of ids is left. It leaves the cache, unless most of it is of another
// conversation: then a copy is cut to what is shared.
func (c *cache) take(m *moe.Model, ids []int32) *moe.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	best, most := -1, worth-1
	for i, s := range c.states {
		if n := min(shared(s.Tokens(), ids), len(ids)-1); n > most {
			best, most = i, n
		}
	}
	if best < 0 {
		return m.NewState()
	}
	s := c.states[best]
	if 2*most < s.Len() {
		f, err := s.Fork()
		if err != nil {
			return m.NewState()
		}
		s = f
	} else {
		c.states = append(c.states[:best], c.states[best+1:]...)
	}
	if s.Truncate(most) == nil {
		return s
	}
	marks := s.Checkpoints() // of a model that cannot go back to everywhere
	for i := len(marks) - 1; i >= 0; i-- {
		if marks[i] <= most && s.Truncate(marks[i]) == nil {
			return s
		}
	}
	return m.NewState()
}

// put keeps a state for later.
func (c *cache) put(s *moe.State) {
	if c.size == 0 || s.Len() == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.states) == c.size {
		c.states = append(c.states[:0], c.states[1:]...)
	}
	c.states = append(c.states, s)
}

// shared returns how many tokens a and b begin with alike.
func shared(a, b []int32) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// prompt brings a state to all tokens of a prompt but the last, and marks the
// place, to which the next prompt of the conversation may have to come back.
func (s *server) prompt(ctx context.Context, st *moe.State, ids []int32) error {
	if rest := ids[st.Len() : len(ids)-1]; len(rest) > 0 {
		if _, err := s.sched.Forward(ctx, st, rest); err != nil {
			return err
		}
	}
	return st.Checkpoint()
}
