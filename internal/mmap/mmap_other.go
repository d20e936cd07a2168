//go:build !unix && !windows

package mmap

import (
	"io"
	"os"
)

// mapFile reads the file: these systems have no mappings.
func mapFile(f *os.File, n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(io.NewSectionReader(f, 0, int64(n)), b)
	return b, err
}

func unmapFile([]byte) error { return nil }

// allocPages reports as an error that n is beyond what make takes.
func allocPages(n int) (b []byte, err error) {
	defer func() {
		if recover() != nil {
			err = ErrTooLarge
		}
	}()
	return make([]byte, n), nil
}

func freePages([]byte) error { return nil }
