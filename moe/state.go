package moe

import (
	"fmt"
	"sync/atomic"

	"github.com/coterie-go/coterie/kernels"
)

// State is one sequence: the keys and values of the tokens that have been
// through the model. It is cheap to make and grows by pages of
// kernels.AttnBlock tokens. One goroutine at a time may use it; different states
// of a model may be used at once.
type State struct {
	m      *Model
	n      int // tokens processed
	layers []layerCache
	rec    recurrent
	logits []float32
	busy   atomic.Bool
}

// layerCache holds one layer's pages. A page is shared with other states until
// one of them writes to it.
type layerCache struct {
	pages []page
}

type page struct {
	data  []byte
	owned bool
}

// cacheLayout says how a page holds the rows of AttnBlock tokens: for each
// key-value head its keys, then for each its values. Latent attention has one
// row, rotary values before latent ones, and its values lie within it.
type cacheLayout struct {
	format     *kernels.Format
	heads      int // key-value heads
	dk, dv     int
	latent     bool
	kRow, vRow int // bytes
	indexDim   int // of the keys of an indexer, which lie behind all else; 0 for none
}

func newCacheLayout(c *Config, f *kernels.Format) cacheLayout {
	l := cacheLayout{format: f, heads: c.KVHeads, dk: c.HeadDim, dv: c.ValueDim}
	if a := c.Latent; a != nil {
		l.heads, l.latent = 1, true
		l.dk, l.dv = a.RopeDim+a.KVRank, a.KVRank
	}
	if c.Indexer != nil {
		l.indexDim = c.Indexer.Dim
	}
	l.kRow, l.vRow = l.bytes(l.dk), l.bytes(l.dv)
	return l
}

func (l *cacheLayout) bytes(n int) int { return n / l.format.Block * l.format.Bytes }

// pageBytes is the size of one layer's page.
func (l *cacheLayout) pageBytes() int {
	if l.latent {
		return kernels.AttnBlock * (l.kRow + l.bytes(l.indexDim))
	}
	return kernels.AttnBlock * l.heads * (l.kRow + l.vRow)
}

// keys and values return the rows of one head in a page.
func (l *cacheLayout) keys(p []byte, head int) kernels.Weights {
	return kernels.Weights{Format: l.format, Rows: kernels.AttnBlock, K: l.dk, Data: p[head*kernels.AttnBlock*l.kRow:], Stride: l.kRow}
}

// index returns the rows of an indexer's keys in a page.
func (l *cacheLayout) index(p []byte) kernels.Weights {
	row := l.bytes(l.indexDim)
	return kernels.Weights{Format: l.format, Rows: kernels.AttnBlock, K: l.indexDim, Data: p[kernels.AttnBlock*l.kRow:], Stride: row}
}

func (l *cacheLayout) values(p []byte, head int) kernels.Weights {
	if l.latent { // the last dv values of the keys' rows
		return kernels.Weights{Format: l.format, Rows: kernels.AttnBlock, K: l.dv, Data: p[l.bytes(l.dk-l.dv):], Stride: l.kRow}
	}
	at := kernels.AttnBlock * (l.heads*l.kRow + head*l.vRow)
	return kernels.Weights{Format: l.format, Rows: kernels.AttnBlock, K: l.dv, Data: p[at:], Stride: l.vRow}
}

// NewState returns an empty sequence.
func (m *Model) NewState() *State {
	return &State{m: m, layers: make([]layerCache, len(m.cfg.Layers))}
}

// Len returns the number of tokens processed.
func (s *State) Len() int { return s.n }

// Fork returns a state with the same tokens. The two share their pages until one
// of them writes to them.
func (s *State) Fork() (*State, error) {
	if !s.busy.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("%w: fork while a call runs", ErrState)
	}
	defer s.busy.Store(false)
	f := s.m.NewState()
	f.n, f.rec = s.n, s.rec.fork()
	for i := range s.layers {
		p := s.layers[i].pages
		for j := range p {
			p[j].owned = false
		}
		f.layers[i].pages = append([]page(nil), p...)
	}
	return f, nil
}

// Truncate forgets all tokens but the first n.
func (s *State) Truncate(n int) error {
	if !s.busy.CompareAndSwap(false, true) {
		return fmt.Errorf("%w: truncate while a call runs", ErrState)
	}
	defer s.busy.Store(false)
	if n < 0 || n > s.n {
		return fmt.Errorf("%w: truncate: want 0 to %d tokens, found %d", ErrState, s.n, n)
	}
	if err := s.rec.truncate(s.n, n); err != nil {
		return err
	}
	s.n = n
	for i := range s.layers {
		l := &s.layers[i]
		keep := (n + kernels.AttnBlock - 1) / kernels.AttnBlock
		clear(l.pages[min(keep, len(l.pages)):])
		l.pages = l.pages[:min(keep, len(l.pages))]
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
		for len(l.pages) < end {
			l.pages = append(l.pages, page{make([]byte, size), true})
		}
		for j := first; j < end; j++ {
			if p := &l.pages[j]; !p.owned {
				p.data, p.owned = append([]byte(nil), p.data...), true
			}
		}
	}
}

// Bytes returns the memory that the state takes, what it shares included.
func (s *State) Bytes() int64 {
	n := s.rec.bytes()
	for i := range s.layers {
		for _, p := range s.layers[i].pages {
			n += int64(len(p.data))
		}
	}
	return n
}
