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

func allocPages(n int) ([]byte, error) { return make([]byte, n), nil }

func freePages([]byte) error { return nil }
