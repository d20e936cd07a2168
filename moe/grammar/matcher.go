package grammar

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// matcher reads a text. It makes the automaton deterministic as it goes: a set is
// all that a text may be in the middle of, and knows where each byte leads.
type matcher struct {
	g      *Grammar
	stacks map[stackKey]*stack
	sets   map[string]*set
	first  *set

	err error // the grammar is too ambiguous

	pending []*stack // of closure, reused
	seen    map[*stack]bool
}

// stack is a state and the states to return to; nil is the end of the text. Equal
// ones are the same pointer.
type stack struct {
	state int32
	depth int32
	id    uint32
	least int32 // bytes to the end of the text, at least
	below *stack
}

type stackKey struct {
	state int32
	below *stack
}

type set struct {
	stacks []*stack // that have bytes to read, by id
	done   bool     // the text may end here
	least  int32    // bytes to the end of the text, at least
	next   [256]*set
	known  [256]bool
	allow  *allowed
}

// A matcher that has met more sets than this starts afresh.
const maxSets = 1 << 12

func newMatcher(g *Grammar) *matcher {
	m := &matcher{g: g, seen: map[*stack]bool{}}
	m.reset()
	if m.first = m.set([]*stack{m.push(g.start, nil)}, false); m.first == nil {
		m.first = &set{} // see err
	}
	return m
}

func (m *matcher) reset() {
	m.stacks, m.sets = map[stackKey]*stack{}, map[string]*set{}
}

func (m *matcher) push(state int32, below *stack) *stack {
	k := stackKey{state, below}
	if s, ok := m.stacks[k]; ok {
		return s
	}
	s := &stack{state: state, below: below, id: uint32(len(m.stacks)), least: m.g.states[state].least}
	if below != nil {
		s.depth, s.least = below.depth+1, min(s.least+below.least, never)
	}
	m.stacks[k] = s
	return s
}

// set returns the set of all that can be reached from stacks without a byte, nil
// if nothing can. done says that the text's end is among it already.
func (m *matcher) set(from []*stack, done bool) *set {
	clear(m.seen)
	m.pending = append(m.pending[:0], from...)
	var reading []*stack
	for len(m.pending) > 0 {
		s := m.pending[len(m.pending)-1]
		m.pending = m.pending[:len(m.pending)-1]
		if m.seen[s] {
			continue
		}
		if len(m.seen) == maxConfigs {
			m.err = fmt.Errorf("%w: it can be read in more than %d ways at once", ErrGrammar, maxConfigs)
			return nil
		}
		m.seen[s] = true
		st := &m.g.states[s.state]
		if len(st.bytes) > 0 {
			reading = append(reading, s)
		}
		for _, to := range st.free {
			m.pending = append(m.pending, m.push(to, s.below))
		}
		for _, c := range st.calls {
			below := s.below
			if !m.g.states[c.to].tail { // else there is nothing to come back for
				below = m.push(c.to, s.below)
			}
			if s.depth < maxStack {
				m.pending = append(m.pending, m.push(c.start, below))
			}
		}
		if st.end {
			if s.below == nil {
				done = true
			} else {
				m.pending = append(m.pending, s.below)
			}
		}
	}
	if len(reading) == 0 && !done {
		return nil
	}
	slices.SortFunc(reading, func(a, b *stack) int { return int(a.id) - int(b.id) })
	key := make([]byte, 0, 4*len(reading)+1)
	if done {
		key = append(key, 1)
	}
	for _, s := range reading {
		key = binary.LittleEndian.AppendUint32(key, s.id)
	}
	if x, ok := m.sets[string(key)]; ok {
		return x
	}
	x := &set{stacks: reading, done: done, least: never}
	for _, s := range reading {
		x.least = min(x.least, s.least)
	}
	if done {
		x.least = 0
	}
	m.sets[string(key)] = x
	return x
}

// read returns where a byte leads, nil if the grammar does not allow it.
func (m *matcher) read(x *set, b byte) *set {
	if x.known[b] {
		return x.next[b]
	}
	var to []*stack
	for _, s := range x.stacks {
		for _, e := range m.g.states[s.state].bytes {
			if e.lo <= b && b <= e.hi {
				to = append(to, m.push(e.to, s.below))
			}
		}
	}
	x.known[b] = true
	if len(to) > 0 {
		x.next[b] = m.set(to, false)
	}
	return x.next[b]
}

// Match reports whether the grammar allows text, whole.
func (g *Grammar) Match(text string) bool {
	m := newMatcher(g)
	x := m.first
	for i := range len(text) {
		if x = m.read(x, text[i]); x == nil {
			return false
		}
	}
	return x.done
}
