package mmap

import "fmt"

// Alloc returns n zeroed bytes, aligned to a page, that the garbage collector
// neither scans nor counts. They live until Free. On systems other than Unix and
// Windows they come from the Go heap, aligned as make does.
func Alloc(n int) ([]byte, error) {
	switch {
	case n < 0:
		return nil, fmt.Errorf("%w: %d bytes asked for", ErrRange, n)
	case n == 0:
		return nil, nil
	}
	b, err := allocPages(n)
	if err != nil {
		return nil, fmt.Errorf("mmap: allocate %d bytes: %w", n, err)
	}
	return b, nil
}

// Free gives back what Alloc returned: that slice itself, not a part of it.
func Free(b []byte) error {
	if cap(b) == 0 {
		return nil
	}
	if err := freePages(b[:cap(b)]); err != nil {
		return fmt.Errorf("mmap: free %d bytes: %w", cap(b), err)
	}
	return nil
}
