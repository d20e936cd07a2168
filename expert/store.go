package expert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/coterie-go/coterie/internal/mmap"
)

// Sentinels, for errors.Is. What is returned wraps them and says which, what was
// expected and what was found.
var (
	ErrBudget  = errors.New("expert: budget too small")
	ErrRead    = errors.New("expert: read failed")
	ErrChanged = errors.New("expert: file was replaced or rewritten while open")
	ErrClosed  = errors.New("expert: store is closed")
)

// LoadError says which expert could not be brought into memory.
type LoadError struct {
	Path          string
	Layer, Expert int
	Err           error
}

func (e *LoadError) Error() string {
	return fmt.Sprintf("layer %d, expert %d: %s: %v", e.Layer, e.Expert, e.Path, e.Err)
}

func (e *LoadError) Unwrap() error { return e.Err }

// A Source is a file that a Store reads from, by several goroutines at once.
type Source interface {
	io.ReaderAt
	Path() string
	// Changed reports whether the file is another than it was when it was opened.
	Changed() (bool, error)
}

// StoreConfig describes a Store.
type StoreConfig struct {
	Budget  int64      // bytes of memory for experts, rounded up to pages each
	Active  int        // experts of one layer that a token needs
	Files   []Source   // what Stored's spans refer to
	Layers  [][]Stored // for each layer its experts; none for a layer without routing
	Policy  NewPolicy  // what to keep; nil for DefaultPolicy
	Readers int        // reads in flight at most; 0 for 8
}

// A Store keeps the experts of a model within a budget of memory that it owns,
// outside the Go heap. What is not there is read from files, several reads in
// flight, each expert once however many ask for it; what a Lease holds stays.
type Store struct {
	files  []Source
	items  []Stored
	first  []int // layer l's items begin at first[l]
	budget int64
	policy Policy
	page   int64

	mu       sync.Mutex
	entries  []entry
	resident []int32 // items in memory, in no order
	used     int64   // bytes of all slots, those that are being read into included
	sizes    []size
	waiting  []*Lease
	urgent   queue // reads that somebody waits for
	early    queue // reads ahead of need
	cut      []piece
	work     sync.Cond
	idle     sync.Cond
	active   int // leases between Begin and End
	closed   bool
	stats    stats
	readers  sync.WaitGroup
}

type state uint8

const (
	absent state = iota
	loading
	failed // until the last lease has let go
	ready
)

// entry is what the store knows of one expert.
type entry struct {
	state   state
	ahead   bool  // read ahead of need and not asked for since
	pins    int32 // leases that hold it
	at      int32 // index in resident
	pieces  int32 // reads not yet ended; atomic while it is loading
	slot    []byte
	expert  *Expert // Stored's, with the slot's bytes
	err     error
	starter *Lease // that had the present read started, as long as it waits for it
	waiters []*Lease
	counts  ExpertMetrics
}

// NewStore returns a store. Nothing is read until it is asked for.
func NewStore(c StoreConfig) (*Store, error) {
	s := &Store{files: c.Files, budget: c.Budget, page: int64(os.Getpagesize())}
	s.work.L, s.idle.L = &s.mu, &s.mu
	most, all, experts := int64(0), int64(0), 0
	for l, items := range c.Layers {
		s.first = append(s.first, len(s.items))
		s.items = append(s.items, items...)
		experts = max(experts, len(items))
		for i := range items {
			if err := items[i].check(len(c.Files)); err != nil {
				return nil, fmt.Errorf("layer %d, expert %d: %w", l, i, err)
			}
			n := s.round(items[i].size)
			most = max(most, n)
			all += n
			s.size(n).all += n
		}
	}
	s.first = append(s.first, len(s.items))
	if least := most * int64(c.Active); c.Budget < least {
		return nil, fmt.Errorf("%w: want at least %d bytes (the %d experts that a token needs in a layer, of up to %d), found %d", ErrBudget, least, c.Active, most, c.Budget)
	}
	if c.Policy == nil {
		c.Policy = DefaultPolicy
	}
	for i := range s.sizes {
		s.sizes[i].share = int64(float64(c.Budget) * float64(s.sizes[i].all) / float64(all))
	}
	s.policy = c.Policy(len(c.Layers), experts)
	s.entries = make([]entry, len(s.items))
	s.stats.stalls = make([]stall, len(c.Layers))
	if c.Readers <= 0 {
		c.Readers = 8
	}
	for range c.Readers {
		s.readers.Go(s.read)
	}
	return s, nil
}

func (s *Store) round(n int64) int64 { return (n + s.page - 1) / s.page * s.page }

// where returns the layer and the expert that an item is.
func (s *Store) where(item int32) (layer, id int) {
	lo, hi := 0, len(s.first)-1
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; s.first[mid] <= int(item) {
			lo = mid
		} else {
			hi = mid
		}
	}
	for s.first[lo+1] == s.first[lo] { // layers without experts
		lo++
	}
	return lo, int(item) - s.first[lo]
}

// Close ends the store. Leases that wait get ErrClosed; Close waits for those
// that are in use, so that nothing is freed under them.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.work.Broadcast()
	for i := range s.entries {
		for _, l := range s.entries[i].waiters {
			l.poke()
		}
	}
	for _, l := range s.waiting {
		l.poke()
	}
	s.mu.Unlock()
	s.readers.Wait()
	s.mu.Lock()
	for s.active > 0 {
		s.idle.Wait()
	}
	defer s.mu.Unlock()
	var err error
	for i := range s.entries {
		err = errors.Join(err, mmap.Free(s.entries[i].slot))
		s.entries[i] = entry{counts: s.entries[i].counts}
	}
	s.resident, s.used = nil, 0
	return err
}

// size is what the store knows of experts of one size. Layers whose matrices are of
// other types than those of the rest have experts of another size.
type size struct {
	n     int64
	all   int64 // bytes of such experts that the model has
	used  int64 // and of slots for them
	share int64 // of the budget, in proportion to all
}

func (s *Store) size(n int64) *size {
	for i := range s.sizes {
		if s.sizes[i].n == n {
			return &s.sizes[i]
		}
	}
	s.sizes = append(s.sizes, size{n: n})
	return &s.sizes[len(s.sizes)-1]
}

// victim returns the expert to displace for n bytes, or -1: what the policy says,
// but among those of the same size, whose slot can be taken over as it is, unless
// the other size has more than its share. Memory given back and asked for anew
// would cost as much as reading.
func (s *Store) victim(n int64) int32 {
	type choice struct {
		item  int32
		score float64
	}
	worst, same := choice{item: -1}, choice{item: -1}
	better := func(c *choice, i int32, v float64) {
		if c.item < 0 || v < c.score || v == c.score && i < c.item {
			*c = choice{i, v}
		}
	}
	for _, i := range s.resident {
		e := &s.entries[i]
		if e.pins > 0 {
			continue
		}
		layer, id := s.where(i)
		v := s.policy.Score(layer, id)
		better(&worst, i, v)
		if int64(len(e.slot)) == n {
			better(&same, i, v)
		}
	}
	if worst.item < 0 || same.item < 0 {
		return worst.item
	}
	if k := s.size(int64(len(s.entries[worst.item].slot))); k.n != n && k.used > k.share {
		return worst.item
	}
	return same.item
}

// room makes place for n bytes and returns them, or nil if what is in use leaves
// none.
func (s *Store) room(n int64) ([]byte, error) {
	n = s.round(n)
	for s.used+n > s.budget {
		victim := s.victim(n)
		if victim < 0 {
			return nil, nil
		}
		slot := s.evict(victim)
		if int64(len(slot)) == n && s.used+n <= s.budget {
			s.take(n)
			return slot, nil
		}
		if err := mmap.Free(slot); err != nil {
			return nil, err
		}
	}
	slot, err := mmap.Alloc(int(n))
	if err != nil {
		return nil, err
	}
	mmap.Huge(slot)
	s.take(n)
	return slot, nil
}

// take counts a slot as used; a negative size gives it back.
func (s *Store) take(n int64) {
	s.used += n
	s.size(max(n, -n)).used += n
}

// evict takes an expert's memory away.
func (s *Store) evict(item int32) []byte {
	e := &s.entries[item]
	last := s.resident[len(s.resident)-1]
	s.resident[e.at], s.entries[last].at = last, e.at
	s.resident = s.resident[:len(s.resident)-1]
	slot := e.slot
	s.take(-int64(len(slot)))
	e.slot, e.state = nil, absent
	if e.ahead {
		e.ahead = false
		s.stats.wasted++
	}
	s.stats.evictions++
	return slot
}

// start gives an item a slot to be read into.
func (s *Store) start(item int32, slot []byte) {
	e := &s.entries[item]
	e.state, e.slot, e.err, e.starter = loading, slot, nil, nil
}

// Prefetch begins to read experts that a layer is expected to ask for, where that
// displaces nothing that is in use. It never waits.
func (s *Store) Prefetch(layer int, ids []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.waiting) > 0 {
		return
	}
	for _, id := range ids {
		if id < 0 {
			continue
		}
		item := int32(s.first[layer]) + id
		e := &s.entries[item]
		if e.state != absent || s.early.len() > 256 {
			continue
		}
		slot, err := s.room(s.items[item].size)
		if slot == nil || err != nil {
			return // a demand will report it
		}
		e.ahead = true
		s.stats.early++
		s.start(item, slot)
		s.cut = s.split(s.cut[:0], item, pieceBytes)
		for _, p := range s.cut {
			s.queue(&s.early, p)
		}
	}
}

// await blocks until l is poked, ctx is done or the store closed.
func (s *Store) await(ctx context.Context, l *Lease) {
	began := time.Now()
	select {
	case <-l.wake:
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.stats.stalls[l.layer].add(time.Since(began))
	s.mu.Unlock()
}
