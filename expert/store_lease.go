package expert

import (
	"context"
	"fmt"

	"github.com/coterie-go/coterie/internal/mmap"
	"github.com/coterie-go/coterie/internal/par"
)

// A Lease holds experts of one layer in a Store's memory for one caller, in waves:
//
//	l.Begin(layer, n, ids, counts)
//	for ids, err := l.Next(ctx, 1); len(ids) > 0; ids, err = l.Next(ctx, 1) { use l.Expert(id) }
//	l.End()
//
// A lease waits for memory only while it holds none, and those that wait take
// turns, so that callers that share a budget never wait for each other in a ring.
type Lease struct {
	s     *Store
	layer int
	want  []int32   // items that it has no memory for yet
	held  []int32   // items with memory, not handed out: read, or being read
	out   []int32   // items handed out
	todo  []int32   // items that got memory and are not given to readers yet
	pool  *par.Pool // whose workers help to read; nil for none
	help  helping
	ids   []int32 // their numbers
	wake  chan struct{}
	begun bool
	err   error // of making room

	// Begun, if set, is called by Begin when its experts are held, as far as there
	// is room: the time to Prefetch others.
	Begun func()
}

// Lease returns a lease for reuse by one goroutine at a time.
func (s *Store) Lease() *Lease {
	l := &Lease{s: s, wake: make(chan struct{}, 1)}
	l.help.l = l
	return l
}

func (l *Lease) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Begin asks for experts of a layer, each id once, for n tokens, of which counts[i]
// go to ids[i]. End must follow.
func (l *Lease) Begin(layer, n int, ids, counts []int32) {
	l.begin(layer, n, ids, counts)
	if l.Begun != nil {
		l.Begun()
	}
}

func (l *Lease) begin(layer, n int, ids, counts []int32) {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	l.layer, l.begun, l.err = layer, true, nil
	l.want, l.held, l.out = l.want[:0], l.held[:0], l.out[:0]
	s.active++
	s.policy.Begin(layer, n)
	// First what is there, so that the rest does not displace it.
	for i, id := range ids {
		item := int32(s.first[layer]) + id
		s.policy.Use(layer, int(id), int(counts[i]))
		e := &s.entries[item]
		switch e.state {
		case ready, loading:
			if e.state == ready {
				e.counts.Hits++
			} else {
				e.counts.Misses++
			}
			l.take(item)
		default:
			e.counts.Misses++
			l.want = append(l.want, item)
		}
	}
	if !s.closed && len(l.want) > 0 {
		l.err = l.reserve()
	}
}

// take holds an item that has memory.
func (l *Lease) take(item int32) {
	e := &l.s.entries[item]
	e.pins++
	if e.ahead {
		e.ahead = false
		l.s.stats.useful++
	}
	if e.state == loading {
		e.waiters = append(e.waiters, l)
	}
	l.held = append(l.held, item)
}

// reserve takes memory for as much of what is wanted as there is room for.
func (l *Lease) reserve() error {
	s := l.s
	may := len(s.waiting) == 0 || s.waiting[0] == l
	keep := l.want[:0]
	var err error
	for _, item := range l.want {
		e := &s.entries[item]
		if e.state == absent && may && err == nil {
			var slot []byte
			if slot, err = s.room(s.items[item].size); slot != nil {
				s.start(item, slot)
				e.starter = l
				l.todo = append(l.todo, item)
			} else {
				may = false
			}
		}
		if e.state == loading || e.state == ready {
			l.take(item)
		} else {
			keep = append(keep, item)
		}
	}
	l.want = keep
	return err
}

// Next gives back the experts that it returned before and returns those that are
// in memory now. It waits for as many as least, or for as many as there is memory
// for at present; none are left when it returns none. The slice is valid until the
// next call.
func (l *Lease) Next(ctx context.Context, least int) ([]int32, error) {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	l.release()
	for {
		if s.closed {
			return nil, ErrClosed
		}
		if len(l.want) > 0 && l.err == nil {
			l.err = l.reserve()
		}
		if l.pool != nil && len(l.todo) > 0 {
			s.mu.Unlock()
			l.copyCached()
			s.mu.Lock()
			continue
		}
		l.hand()
		if l.err != nil {
			return nil, fmt.Errorf("layer %d: %w", l.layer, l.err)
		}
		if len(l.held) > 0 {
			l.unqueue()
		}
		again, err := l.collect()
		if err != nil {
			return nil, err
		}
		if again {
			continue
		}
		if n := len(l.out); n > 0 && (n >= least || len(l.held) == 0) {
			return l.ids, nil
		}
		if len(l.held)+len(l.out) == 0 {
			if len(l.want) == 0 {
				return nil, nil
			}
			l.enqueue()
		}
		if err := ctx.Err(); err != nil {
			return nil, l.late(err)
		}
		select {
		case <-l.wake: // from before: what it told has been seen
		default:
		}
		s.mu.Unlock()
		s.await(ctx, l)
		s.mu.Lock()
	}
}

// Left returns how many experts Next has not returned yet.
func (l *Lease) Left() int { return len(l.want) + len(l.held) }

// Expert returns an expert of the present wave.
func (l *Lease) Expert(id int32) *Expert { return l.s.entries[int32(l.s.first[l.layer])+id].expert }

// End gives back everything.
func (l *Lease) End() {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !l.begun {
		return
	}
	l.begun = false
	l.hand()
	l.unqueue()
	l.release()
	for _, item := range l.held {
		e := &s.entries[item]
		for i, w := range e.waiters {
			if w == l {
				e.waiters = append(e.waiters[:i], e.waiters[i+1:]...)
				break
			}
		}
		if e.starter == l {
			e.starter = nil
		}
		s.unpin(item)
	}
	l.held, l.want = l.held[:0], l.want[:0]
	if s.active--; s.active == 0 {
		s.idle.Broadcast()
	}
}

// collect moves what has been read from held to out. Of a read that failed its
// starter is told; others, who may have come after the fault was gone, try again.
func (l *Lease) collect() (again bool, err error) {
	s := l.s
	keep := l.held[:0]
	for _, item := range l.held {
		switch e := &s.entries[item]; e.state {
		case ready:
			l.out = append(l.out, item)
			l.ids = append(l.ids, item-int32(s.first[l.layer]))
			continue
		case failed:
			if e.starter != l {
				l.want, again = append(l.want, item), true
				s.unpin(item)
				continue
			}
			err = e.err
		}
		keep = append(keep, item)
	}
	l.held = keep
	return again, err
}

// late says what a lease was waiting for.
func (l *Lease) late(err error) error {
	items := l.held
	if len(items) == 0 {
		items = l.want
	}
	s := l.s
	return s.fault(items[0], s.items[items[0]].spans[0].File, err)
}

func (l *Lease) release() {
	for _, item := range l.out {
		l.s.unpin(item)
	}
	l.out, l.ids = l.out[:0], l.ids[:0]
}

func (s *Store) unpin(item int32) {
	e := &s.entries[item]
	if e.pins--; e.pins > 0 {
		return
	}
	if e.state == failed {
		s.forget(item)
	}
	if len(s.waiting) > 0 {
		s.waiting[0].poke()
	}
}

// forget gives back the memory of an expert that could not be read.
func (s *Store) forget(item int32) {
	e := &s.entries[item]
	s.take(-int64(len(e.slot)))
	mmap.Free(e.slot)
	e.slot, e.state, e.err = nil, absent, nil
}

func (l *Lease) enqueue() {
	for _, w := range l.s.waiting {
		if w == l {
			return
		}
	}
	l.s.waiting = append(l.s.waiting, l)
}

func (l *Lease) unqueue() {
	s := l.s
	for i, w := range s.waiting {
		if w == l {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			if len(s.waiting) > 0 {
				s.waiting[0].poke()
			}
			return
		}
	}
}
