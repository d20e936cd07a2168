package moe

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/coterie-go/coterie/kernels"
)

// A saved state, little endian:
//
//	magic        8 bytes, "COTERIE\x00"
//	version      uint32
//	fingerprint  32 bytes, see Model.fingerprint
//	cache type   8 bytes, padded with zeros
//	tokens       uint32 n
//	ids          n x int32
//	layers       for each with keys and values: uint32 pages dropped, then for each
//	             page the rows in use of each of its runs of rows
//	recurrent    uint64 m, m x float32; m is what the model's layers need, 0 before
//	             the first token
//	checkpoints  uint32 c, c x (uint32 tokens, uint64 m, m x float32), ascending
//	checksum     32 bytes, SHA-256 of all before
//
// Nothing in it says how much to allocate but n, which the model's context bounds;
// memory is taken as pages arrive.
const (
	saveMagic   = "COTERIE\x00"
	saveVersion = 2
)

// Save writes s to w: tokens, keys and values, what recurrent layers remember, and
// what they remembered at each [State.Checkpoint]. [Model.Restore] reads it, with the same model and options that
// change numbers, and goes on with the same bits.
func (s *State) Save(w io.Writer) error {
	if !s.busy.CompareAndSwap(false, true) {
		return fmt.Errorf("%w: save while a call runs", ErrState)
	}
	defer s.busy.Store(false)
	print, err := s.m.fingerprint()
	if err != nil {
		return err
	}
	o := &saver{w: w, sum: sha256.New()}
	o.write([]byte(saveMagic))
	o.uint32(saveVersion)
	o.write(print[:])
	o.write(cacheName(s.m.opts.cache))
	o.uint32(uint32(s.n))
	for _, id := range s.ids[:s.n] {
		o.uint32(uint32(id))
	}
	for i := range s.layers {
		if s.m.cfg.Layers[i].Recurrent {
			continue
		}
		l := &s.layers[i]
		o.uint32(uint32(l.dropped))
		for j, p := range l.pages {
			s.m.cache.used(p.data, s.n-(l.dropped+j)*kernels.AttnBlock, func(b []byte) error {
				o.write(b)
				return o.err
			})
		}
	}
	o.write(appendNumbers(nil, s.rec.now))
	o.uint32(uint32(len(s.rec.kept)))
	for _, k := range s.rec.kept {
		o.uint32(uint32(k.n))
		o.write(appendNumbers(nil, k.data))
	}
	o.flush()
	o.write(o.sum.Sum(nil))
	o.flush()
	if o.err != nil {
		return fmt.Errorf("moe: save: %w", o.err)
	}
	return nil
}

// Restore reads what [State.Save] wrote, and not a byte more. Whatever does not fit
// the model, is of another version, damaged or cut off is an error.
func (m *Model) Restore(r io.Reader) (*State, error) {
	print, err := m.fingerprint()
	if err != nil {
		return nil, err
	}
	in := &restorer{r: r, sum: sha256.New()}
	var head [8 + 4 + 32 + 8 + 4]byte
	if err := in.read(head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[52:])
	switch version := binary.LittleEndian.Uint32(head[8:]); {
	case string(head[:8]) != saveMagic:
		return nil, fmt.Errorf("%w: want the beginning of a state, found %q", ErrSaved, head[:8])
	case version != saveVersion:
		return nil, fmt.Errorf("%w: want version %d, found %d", ErrSaved, saveVersion, version)
	case [32]byte(head[12:44]) != print:
		return nil, fmt.Errorf("%w: it belongs to another model, or to other options: want fingerprint %x, found %x", ErrSaved, print[:8], head[12:20])
	case string(head[44:52]) != string(cacheName(m.opts.cache)):
		return nil, fmt.Errorf("%w: cache type: want %s, found %q", ErrSaved, m.opts.cache.Name, head[44:52])
	case int64(n) > int64(m.cfg.Context):
		return nil, fmt.Errorf("%w: want at most %d tokens, found %d", ErrSaved, m.cfg.Context, n)
	}
	s := m.NewState()
	if err := in.state(s, int(n)); err != nil {
		return nil, err
	}
	sum := [32]byte(in.sum.Sum(nil))
	var want [32]byte
	if err := in.read(want[:]); err != nil {
		return nil, err
	}
	if sum != want {
		return nil, fmt.Errorf("%w: damaged: want checksum %x, found %x", ErrSaved, want[:8], sum[:8])
	}
	return s, nil
}

// state reads n tokens and what the layers keep of them.
func (in *restorer) state(s *State, n int) error {
	m := s.m
	for len(s.ids) < n {
		id, err := in.uint32()
		if err != nil {
			return err
		}
		if int64(id) >= int64(m.cfg.Vocab) {
			return fmt.Errorf("%w: token %d: want 0 to %d, found %d", ErrSaved, len(s.ids), m.cfg.Vocab-1, id)
		}
		s.ids = append(s.ids, int32(id))
	}
	s.n = n
	end := (n + kernels.AttnBlock - 1) / kernels.AttnBlock
	for i := range s.layers {
		if m.cfg.Layers[i].Recurrent {
			continue
		}
		dropped, err := in.uint32()
		if err != nil {
			return err
		}
		if most := m.cfg.Layers[i].firstSeen(n) / kernels.AttnBlock; int64(dropped) > int64(most) {
			return fmt.Errorf("%w: layer %d: want at most %d pages dropped, found %d", ErrSaved, i, most, dropped)
		}
		l := &s.layers[i]
		l.dropped = int(dropped)
		for j := l.dropped; j < end; j++ {
			p := page{make([]byte, m.cache.pageBytes()), true}
			if err := m.cache.used(p.data, n-j*kernels.AttnBlock, in.read); err != nil {
				return err
			}
			l.pages = append(l.pages, p)
		}
	}
	return in.recurrent(&s.rec, n, m.cfg.recurrentSize())
}

// recurrent reads what recurrent layers, of size numbers, remember at n tokens, and
// what they did at checkpoints.
func (in *restorer) recurrent(r *recurrent, n, size int) error {
	if n == 0 {
		size = 0
	}
	var err error
	if r.now, err = in.numbers(size); err != nil {
		return err
	}
	count, err := in.uint32()
	if err != nil {
		return err
	}
	if count > 0 && size == 0 {
		return fmt.Errorf("%w: want no checkpoints, found %d", ErrSaved, count)
	}
	last := uint32(0)
	for range count {
		at, err := in.uint32()
		if err != nil {
			return err
		}
		if at <= last || int64(at) > int64(n) {
			return fmt.Errorf("%w: want a checkpoint at %d to %d tokens, found %d", ErrSaved, last+1, n, at)
		}
		last = at
		data, err := in.numbers(size)
		if err != nil {
			return err
		}
		r.kept = append(r.kept, kept{int(at), data})
	}
	return nil
}

// numbers reads size numbers.
func (in *restorer) numbers(size int) ([]float32, error) {
	b := make([]byte, 8+4*size)
	if err := in.read(b); err != nil {
		return nil, err
	}
	x, rest, err := decodeNumbers(b, size)
	if err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("%w: want %d numbers of recurrent layers, found %d", ErrSaved, size, binary.LittleEndian.Uint64(b))
	}
	return x, nil
}

// used calls f for each run of rows in a page of which the first n are in use.
func (l *cacheLayout) used(p []byte, n int, f func([]byte) error) error {
	n = min(n, kernels.AttnBlock)
	for h := range l.heads {
		if err := f(p[l.keyAt(h):][:n*l.k.bytes]); err != nil {
			return err
		}
	}
	if l.v.bytes > 0 {
		for h := range l.heads {
			if err := f(p[l.valueAt(h):][:n*l.v.bytes]); err != nil {
				return err
			}
		}
	}
	if l.index.bytes > 0 {
		return f(p[l.indexAt():][:n*l.index.bytes])
	}
	return nil
}

// cacheName returns the 8 bytes that stand for a cache type.
func cacheName(f *kernels.Format) []byte {
	b := make([]byte, 8)
	copy(b, f.Name)
	return b
}

// saver writes in pieces of some size and hashes what it writes.
type saver struct {
	w   io.Writer
	sum hash.Hash
	buf []byte
	err error
}

func (o *saver) write(b []byte) {
	if o.buf = append(o.buf, b...); len(o.buf) >= 64<<10 {
		o.flush()
	}
}

func (o *saver) uint32(v uint32) {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	o.write(b[:])
}

func (o *saver) flush() {
	if o.err == nil {
		o.sum.Write(o.buf)
		_, o.err = o.w.Write(o.buf)
	}
	o.buf = o.buf[:0]
}

// restorer reads and hashes what it reads.
type restorer struct {
	r   io.Reader
	sum hash.Hash
}

func (in *restorer) read(b []byte) error {
	if _, err := io.ReadFull(in.r, b); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%w: cut off: %w", ErrSaved, io.ErrUnexpectedEOF)
		}
		return fmt.Errorf("moe: restore: %w", err)
	}
	in.sum.Write(b)
	return nil
}

func (in *restorer) uint32() (uint32, error) {
	var b [4]byte
	err := in.read(b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}
