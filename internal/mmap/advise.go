package mmap

import (
	"fmt"
	"os"
)

// Advice says how a range of a file will be used.
type Advice int

const (
	WillNeed   Advice = iota // soon: start reading it
	DontNeed                 // not soon: its pages may leave memory
	Sequential               // in order: read far ahead
	Random                   // in no order: do not read ahead
)

// Advise tells the system how the n bytes at off will be used. It is a hint:
// it never changes what is read, and does nothing where the system has no such
// call.
func (f *File) Advise(off, n int64, a Advice) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	lo, hi, err := f.pages(off, n, a)
	if err != nil || lo >= hi {
		return err
	}
	return advise(f.file, f.data[lo:hi], lo, a)
}

// pages returns the pages of the n bytes at off that advice is about. The caller
// holds f.mu.
func (f *File) pages(off, n int64, a Advice) (lo, hi int64, err error) {
	if f.closed {
		return 0, 0, ErrClosed
	}
	size := int64(len(f.data))
	if off < 0 || n < 0 || off > size || n > size-off {
		return 0, 0, fmt.Errorf("%w: %s: %d bytes at %d, file holds %d", ErrRange, f.path, n, off, size)
	}
	lo, hi = pages(off, off+n, size, int64(os.Getpagesize()), a)
	return lo, hi, nil
}

// pages widens [lo, hi) to whole pages, and narrows it for DontNeed, so that a
// neighbour that shares a page keeps it. The last page of a file may be short.
func pages(lo, hi, size, page int64, a Advice) (int64, int64) {
	if a == DontNeed {
		lo += (page - lo%page) % page
		if hi < size {
			hi -= hi % page
		}
		return lo, hi
	}
	lo -= lo % page
	return lo, min(size, hi+(page-hi%page)%page)
}
