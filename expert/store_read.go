package expert

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// piece is a part of an expert that one read asks for.
type piece struct {
	item int32
	span int32 // of the item's
	from int   // in it
	n    int
}

// pieceBytes is how much one read asks for at most. Devices are as fast from
// 256 kB on; smaller pieces let several readers share one expert.
const pieceBytes = 1 << 20

// split cuts an item into pieces of so many bytes at most, those of a span of about
// one length.
func (s *Store) split(dst []piece, item int32, most int) []piece {
	had := len(dst)
	for i, sp := range s.items[item].spans {
		count := (sp.Len + most - 1) / most
		each := ((sp.Len+count-1)/count + 4095) &^ 4095
		for from := 0; from < sp.Len; from += each {
			dst = append(dst, piece{item, int32(i), from, min(each, sp.Len-from)})
		}
	}
	s.entries[item].pieces = int32(len(dst) - had)
	return dst
}

// queue holds pieces in the order of demand.
type queue struct {
	pieces []piece
	head   int
}

func (q *queue) len() int { return len(q.pieces) - q.head }

func (q *queue) push(p piece) {
	if q.head > len(q.pieces)/2 {
		q.pieces = q.pieces[:copy(q.pieces, q.pieces[q.head:])]
		q.head = 0
	}
	q.pieces = append(q.pieces, p)
}

func (q *queue) take() piece {
	q.head++
	return q.pieces[q.head-1]
}

// queue gives a piece to the readers.
func (s *Store) queue(q *queue, p piece) {
	q.push(p)
	s.work.Signal()
}

// read is a reader: it takes pieces from the queues until the store is closed.
func (s *Store) read() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var p piece
		switch {
		case s.closed:
			return
		case s.urgent.len() > 0:
			p = s.urgent.take()
		case s.early.len() > 0:
			p = s.early.take()
		default:
			s.work.Wait()
			continue
		}
		e := &s.entries[p.item]
		failed := e.err != nil
		s.mu.Unlock()
		if !failed { // else it is the rest of an expert that cannot be read
			if err := s.readPiece(p); err != nil {
				s.mu.Lock()
				if e.err == nil {
					e.err = err
				}
				s.mu.Unlock()
			}
		}
		s.finish(p)
		s.mu.Lock()
	}
}

// place returns where a piece lies and where it goes.
func (s *Store) place(p piece) (f Source, off int64, dst []byte) {
	sp := &s.items[p.item].spans[p.span]
	return s.files[sp.File], sp.Off + int64(p.from), s.entries[p.item].slot[sp.At+p.from:][:p.n]
}

func (s *Store) readPiece(p piece) error {
	f, off, dst := s.place(p)
	n, err := f.ReadAt(dst, off)
	switch {
	case n == len(dst):
		return nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("%w: want %d bytes at %d, found %d", ErrRead, len(dst), off, n)
	default:
		err = fmt.Errorf("%w: %d bytes at %d: %w", ErrRead, len(dst), off, err)
	}
	return s.fault(p.item, s.items[p.item].spans[p.span].File, err)
}

// finish ends the read of a piece, and with an expert's last piece that of the
// expert.
func (s *Store) finish(p piece) {
	e := &s.entries[p.item]
	if atomic.AddInt32(&e.pieces, -1) > 0 {
		return
	}
	err := e.err // set before the other pieces were ended
	if err == nil {
		err = s.unchanged(p.item)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.err = err
	s.loaded(p.item)
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
