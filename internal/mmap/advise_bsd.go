//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package mmap

import (
	"os"

	"golang.org/x/sys/unix"
)

func advise(_ *os.File, b []byte, _ int64, a Advice) error {
	switch a {
	case WillNeed:
		return unix.Madvise(b, unix.MADV_WILLNEED)
	case DontNeed:
		return unix.Madvise(b, unix.MADV_DONTNEED)
	case Sequential:
		return unix.Madvise(b, unix.MADV_SEQUENTIAL)
	case Random:
		return unix.Madvise(b, unix.MADV_RANDOM)
	}
	return nil
}
