package moe

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/coterie-go/coterie/kernels"
)

// State is one sequence: the keys and values of the tokens that have been
// through the model. It is cheap to make and grows by pages of
// kernels.AttnBlock tokens. One goroutine at a time may use it; different states
// of a model may be used at once.
type State struct {
	m      *Model
	n      int     // tokens processed
	ids    []int32 // (n)
	layers []layerCache
	rec    recurrent
	logits []float32
	busy   atomic.Bool
}

// layerCache holds one layer's pages. A page is shared with other states until
// one of them writes to it. Layers with a window let go of their oldest pages.
type layerCache struct {
	dropped int // pages before pages[0]
	pages   []page
}

// page returns the page of tokens b*AttnBlock and following.
func (l *layerCache) page(b int) []byte { return l.pages[b-l.dropped].data }

type page struct {
	data  []byte
	owned bool
}

// rewind is how many tokens, at least, layers with a window can go back.
const rewind = kernels.AttnBlock

// NewState returns an empty sequence.
func (m *Model) NewState() *State {
	return &State{m: m, layers: make([]layerCache, len(m.cfg.Layers))}
}

// Len returns the number of tokens processed.
func (s *State) Len() int { return s.n }

// Tokens returns the tokens processed, valid until the next call with s. The caller
// must not change them.
func (s *State) Tokens() []int32 { return s.ids[:s.n:s.n] }

// Fork returns a state with the same tokens. The two share their pages until one
// of them writes to them.
func (s *State) Fork() (*State, error) {
	if !s.busy.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("%w: fork while a call runs", ErrState)
	}
	defer s.busy.Store(false)
	f := s.m.NewState()
	f.n, f.ids, f.rec = s.n, slices.Clone(s.ids), s.rec.fork()
	for i := range s.layers {
		p := s.layers[i].pages
		for j := range p {
			p[j].owned = false
		}
		f.layers[i] = layerCache{s.layers[i].dropped, slices.Clone(p)}
	}
	return f, nil
}

// Truncate forgets all tokens but the first n. A model with layers that see a
// window only can go back by at least 64 tokens, and to 0; one with recurrent
// layers to where [State.Checkpoint] was called, and to 0. Anything else is an
// error that leaves s as it was.
func (s *State) Truncate(n int) error {
	if !s.busy.CompareAndSwap(false, true) {
		return fmt.Errorf("%w: truncate while a call runs", ErrState)
	}
	defer s.busy.Store(false)
	if n < 0 || n > s.n {
		return fmt.Errorf("%w: truncate: want 0 to %d tokens, found %d", ErrState, s.n, n)
	}
	for i := range s.layers {
		first := s.layers[i].dropped * kernels.AttnBlock
		if n > 0 && s.m.cfg.Layers[i].firstSeen(n) < first {
			return fmt.Errorf("%w: truncate to %d tokens: layer %d has let go of those before %d", ErrState, n, i, first)
		}
	}
	if err := s.rec.truncate(s.n, n); err != nil {
		return err
	}
	s.n, s.ids = n, s.ids[:n]
	for i := range s.layers {
		l := &s.layers[i]
		if n == 0 {
			l.dropped = 0
		}
		keep := min(max((n+kernels.AttnBlock-1)/kernels.AttnBlock-l.dropped, 0), len(l.pages))
		clear(l.pages[keep:])
		l.pages = l.pages[:keep]
	}
	return nil
}

// grow makes room for n tokens after those processed, in pages of its own.
func (s *State) grow(n int) {
	size := s.m.cache.pageBytes()
	first, end := s.n/kernels.AttnBlock, (s.n+n+kernels.AttnBlock-1)/kernels.AttnBlock
	for i := range s.layers {
		if s.m.cfg.Layers[i].Recurrent {
			continue
		}
		l := &s.layers[i]
		for l.dropped+len(l.pages) < end {
			l.pages = append(l.pages, page{make([]byte, size), true})
		}
		for j := first; j < end; j++ {
			if p := &l.pages[j-l.dropped]; !p.owned {
				p.data, p.owned = slices.Clone(p.data), true
			}
		}
	}
}

// advance counts tokens as processed, and lets go of pages that no token after
// them sees, nor any after the last rewind of them.
func (s *State) advance(ids []int32) {
	s.n += len(ids)
	s.ids = append(s.ids, ids...)
	for i := range s.layers {
		l := &s.layers[i]
		n := s.m.cfg.Layers[i].firstSeen(max(s.n-rewind, 0))/kernels.AttnBlock - l.dropped
		if n <= 0 || len(l.pages) == 0 {
			continue
		}
		left := copy(l.pages, l.pages[n:])
		clear(l.pages[left:])
		l.pages, l.dropped = l.pages[:left], l.dropped+n
	}
}

// firstSeen returns the first position that a query at pos sees.
func (l *LayerConfig) firstSeen(pos int) int {
	switch {
	case l.Window > 0:
		return max(0, pos-l.Window+1)
	case l.Chunk > 0:
		return pos / l.Chunk * l.Chunk
	}
	return 0
}

// Bytes returns the memory that the state takes, what it shares included.
func (s *State) Bytes() int64 {
	n := s.rec.bytes() + 4*int64(s.n)
	for i := range s.layers {
		for _, p := range s.layers[i].pages {
			n += int64(len(p.data))
		}
	}
	return n
}
