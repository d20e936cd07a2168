package expert

import (
	"errors"
	"fmt"
	"io"
)

// queue holds items whose pieces are to be read, in the order of demand.
type queue struct {
	items []int32
	head  int
	piece int32 // next of the head's
}

func (q *queue) len() int { return len(q.items) - q.head }

func (q *queue) push(item int32) {
	if q.head > 0 && q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	q.items = append(q.items, item)
}

// take hands out the next piece of the head.
func (q *queue) take(s *Store) (item, piece int32) {
	item, piece = q.items[q.head], q.piece
	if q.piece++; q.piece == s.items[item].pieces {
		q.piece = 0
		q.head++
	}
	return item, piece
}

// read is a reader: it takes pieces from the queues until the store is closed.
func (s *Store) read() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var item, piece int32
		switch {
		case s.closed:
			return
		case s.urgent.len() > 0:
			item, piece = s.urgent.take(s)
		case s.early.len() > 0:
			item, piece = s.early.take(s)
		default:
			s.work.Wait()
			continue
		}
		e := &s.entries[item]
		var err error
		if e.err == nil { // else the rest of a failed expert
			slot := e.slot
			s.mu.Unlock()
			err = s.readPiece(item, piece, slot)
			s.mu.Lock()
		}
		if err != nil && e.err == nil {
			e.err = err
		}
		if e.pieces--; e.pieces > 0 {
			continue
		}
		if e.err == nil {
			s.mu.Unlock()
			err = s.unchanged(item)
			s.mu.Lock()
			e.err = err
		}
		s.loaded(item)
	}
}

func (s *Store) readPiece(item, piece int32, slot []byte) error {
	sp := s.items[item].piece(piece)
	f := s.files[sp.File]
	n, err := f.ReadAt(slot[sp.At:][:sp.Len], sp.Off)
	switch {
	case n == sp.Len:
		return nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("%w: want %d bytes at %d, found %d", ErrRead, sp.Len, sp.Off, n)
	default:
		err = fmt.Errorf("%w: %d bytes at %d: %w", ErrRead, sp.Len, sp.Off, err)
	}
	return s.fault(item, sp.File, err)
}

// unchanged looks at the files after what was read, so that a file that was
// rewritten meanwhile is noticed before its bytes are used.
func (s *Store) unchanged(item int32) error {
	seen := -1
	for _, sp := range s.items[item].spans {
		if sp.File == seen {
			continue
		}
		seen = sp.File
		switch changed, err := s.files[sp.File].Changed(); {
		case err != nil:
			return s.fault(item, sp.File, fmt.Errorf("%w: %w", ErrRead, err))
		case changed:
			return s.fault(item, sp.File, ErrChanged)
		}
	}
	return nil
}

func (s *Store) fault(item int32, file int, err error) error {
	layer, id := s.where(item)
	return &LoadError{Path: s.files[file].Path(), Layer: layer, Expert: id, Err: err}
}

// loaded ends a read, well or not, and tells who waits for it.
func (s *Store) loaded(item int32) {
	e := &s.entries[item]
	e.counts.Bytes += uint64(s.items[item].size)
	if e.err != nil {
		e.state, e.ahead = failed, false
		if e.pins == 0 {
			s.forget(item)
		}
	} else {
		if e.expert == nil {
			e.expert = new(Expert)
		}
		s.items[item].bind(e.expert, e.slot)
		e.state, e.at = ready, int32(len(s.resident))
		s.resident = append(s.resident, item)
	}
	for _, l := range e.waiters {
		l.poke()
	}
	e.waiters = e.waiters[:0]
	if len(s.waiting) > 0 {
		s.waiting[0].poke() // what was read ahead can be taken away now
	}
}
