// Package mmap maps files read-only into memory, reads them at positions,
// and hands out memory outside the Go heap.
//
// A mapping is only as sound as the file under it: when the file is truncated
// by another process, or its storage fails, touching the lost pages raises a
// fault that normally ends the process. Code that reads mapped bytes therefore
// runs inside [Guard], which turns such a fault into [ErrFault].
package mmap

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"sync"
)

var (
	// ErrClosed reports use of a file after Close. It is also an os.ErrClosed.
	ErrClosed = fmt.Errorf("mmap: %w", os.ErrClosed)
	// ErrNotRegular reports a path that is a directory, a pipe or a device.
	ErrNotRegular = errors.New("mmap: not a regular file")
	// ErrTooLarge reports a size that the address space cannot hold.
	ErrTooLarge = errors.New("mmap: too large for the address space")
	// ErrRange reports a range that lies outside the file.
	ErrRange = errors.New("mmap: range outside the file")
)

// File is an open file and its read-only mapping. Its methods may be called
// from many goroutines at once.
type File struct {
	path string
	file *os.File
	info fs.FileInfo // as it was at Open

	mu     sync.RWMutex // Close writes; Bytes and Advise read
	data   []byte
	closed bool
}

// headBytes is what Open asks for: files begin with what says how to read the rest.
// A fault there would read far ahead, of weights that may never be used.
const headBytes = 256 << 10

// Open maps the regular file at path. An empty file has no mapping and Bytes
// of length 0.
func Open(path string) (*File, error) {
	// Opening a named pipe would wait for a writer, so look before opening,
	// and look again at what was opened.
	if err := regular(os.Stat(path)); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := newFile(path, file)
	if err != nil {
		file.Close()
		return nil, err
	}
	return f, nil
}

func newFile(path string, file *os.File) (*File, error) {
	info, err := file.Stat()
	if err := regular(info, err); err != nil {
		return nil, err
	}
	f := &File{path: path, file: file, info: info, data: []byte{}}
	switch n := info.Size(); {
	case n > math.MaxInt:
		return nil, fmt.Errorf("%w: %s holds %d bytes", ErrTooLarge, path, n)
	case n > 0:
		if f.data, err = mapFile(file, int(n)); err != nil {
			return nil, fmt.Errorf("mmap: %s: %w", path, err)
		}
		f.Advise(0, min(n, headBytes), WillNeed)
	}
	return f, nil
}

func regular(info fs.FileInfo, err error) error {
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s (%s)", ErrNotRegular, info.Name(), info.Mode().Type())
	}
	return err
}

// Bytes returns the mapping, [Size]byte. It is read-only (a write faults),
// valid until Close, and nil after it.
func (f *File) Bytes() []byte {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.data
}

// ReadAt reads from the open file itself, not through the mapping: it follows
// io.ReaderAt, and failing storage is an error here rather than a fault.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.file.ReadAt(p, off)
	if errors.Is(err, os.ErrClosed) {
		err = ErrClosed
	}
	return n, err
}

// Size returns the size in bytes that the file had at Open.
func (f *File) Size() int64 { return f.info.Size() }

// Path returns the path given to Open.
func (f *File) Path() string { return f.path }

// Close unmaps and closes the file. Slices of Bytes must not be used after it.
// Closing twice does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	var err error
	if len(f.data) > 0 {
		err = unmapFile(f.data)
	}
	f.data = nil
	return errors.Join(err, f.file.Close())
}

// Changed reports whether the file at Path is no longer the one that was
// opened: removed, replaced by another, or of a different size or time of
// modification. A mapping of a file that was only removed or replaced stays
// sound; one of a file that was rewritten or truncated does not.
func (f *File) Changed() (bool, error) {
	open, err := f.file.Stat()
	if errors.Is(err, os.ErrClosed) {
		return false, ErrClosed
	}
	if err != nil {
		return false, err
	}
	named, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return !os.SameFile(open, named) || f.differs(open) || f.differs(named), nil
}

func (f *File) differs(now fs.FileInfo) bool {
	return now.Size() != f.info.Size() || !now.ModTime().Equal(f.info.ModTime())
}
