package expert

import "time"

// Cached is a Source that knows what of it lies in memory, in the system's cache.
type Cached interface {
	Source
	// ReadCached is ReadAt for bytes that can be had without waiting for storage: it
	// returns how many it has read, from the first on.
	ReadCached(p []byte, off int64) int
}

// copyCached reads what the system has in memory of the experts that the lease has
// begun to read, with all of the pool's workers; readers get the rest. Copying is
// work for processors, not waiting: workers that compute, or spin, leave readers
// none to run on.
func (l *Lease) copyCached() {
	h, s := &l.help, l.s
	total := int64(0)
	for _, item := range l.todo {
		total += s.items[item].size
	}
	// A few pieces for each worker, and not so small that calls count.
	most := max(256<<10, min(pieceBytes, int(total)/(4*l.pool.Workers())))
	h.pieces = h.pieces[:0]
	for _, item := range l.todo {
		h.pieces = s.split(h.pieces, item, most)
	}
	l.todo = l.todo[:0]
	began := time.Now()
	l.pool.Run(len(h.pieces), h)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.stalls[l.layer].add(time.Since(began))
	for _, p := range h.pieces { // in the order of demand
		if p.n > 0 {
			s.queue(&s.urgent, p)
		}
	}
}

// helping is a loop over the pieces of what a lease has begun to read. Those that
// it has read are left with no bytes.
type helping struct {
	l      *Lease
	pieces []piece
}

func (h *helping) Do(_, i int) {
	p := &h.pieces[i]
	f, off, dst := h.l.s.place(*p)
	if c, ok := f.(Cached); ok && c.ReadCached(dst, off) == len(dst) {
		h.l.s.finish(*p)
		p.n = 0
	}
}

// hand gives what the lease has begun to read to the readers.
func (l *Lease) hand() {
	s := l.s
	for _, item := range l.todo {
		s.cut = s.split(s.cut[:0], item, pieceBytes)
		for _, p := range s.cut {
			s.queue(&s.urgent, p)
		}
	}
	l.todo = l.todo[:0]
}
