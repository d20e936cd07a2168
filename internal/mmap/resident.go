package mmap

import (
	"errors"
	"fmt"
)

// Resident returns how many of the n bytes at off are in memory, in whole pages but
// for the file's last one, because this process or another has read them. Where the
// system does not tell, it returns errors.ErrUnsupported. For tests and measurements.
func (f *File) Resident(off, n int64) (int64, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	lo, hi, err := f.pages(off, n, WillNeed)
	if err != nil || lo >= hi {
		return 0, err
	}
	in, err := resident(f.data[lo:hi])
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		err = fmt.Errorf("mmap: %s: %w", f.path, err)
	}
	return in, err
}
