package gguf

import "encoding/binary"

// reader walks a file's bytes. Every step is checked against what is left.
type reader struct {
	data []byte
	off  int
}

func (r *reader) left() uint64 { return uint64(len(r.data) - r.off) }

// take returns the next n bytes as a view, or ErrTruncated naming what.
func (r *reader) take(n uint64, what string) ([]byte, error) {
	if n > r.left() {
		return nil, fail(ErrTruncated, "%s needs %d bytes at byte %d, %d are left", what, n, r.off, r.left())
	}
	b := r.data[r.off:][:n:n]
	r.off += int(n)
	return b, nil
}

func (r *reader) u32(what string) (uint32, error) {
	b, err := r.take(4, what)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (r *reader) u64(what string) (uint64, error) {
	b, err := r.take(8, what)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// bytes reads a length-prefixed string of at most limit bytes as a view.
func (r *reader) bytes(limit uint64, what string) ([]byte, error) {
	n, err := r.u64(what)
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fail(ErrTooLarge, "%s has %d bytes, at most %d allowed", what, n, limit)
	}
	return r.take(n, what)
}

// count reads a number of things that take at least size bytes each. It
// divides what is left rather than multiply what is claimed.
func (r *reader) count(limit, size uint64, what string) (uint64, error) {
	n, err := r.u64(what)
	if err != nil {
		return 0, err
	}
	return n, r.room(n, limit, size, what)
}

func (r *reader) room(n, limit, size uint64, what string) error {
	if n > limit {
		return fail(ErrTooLarge, "%s: %d, at most %d allowed", what, n, limit)
	}
	if n > r.left()/size {
		return fail(ErrTruncated, "%s: %d of at least %d bytes each at byte %d, %d bytes are left", what, n, size, r.off, r.left())
	}
	return nil
}
