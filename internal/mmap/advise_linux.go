package mmap

import (
	"os"

	"golang.org/x/sys/unix"
)

func advise(f *os.File, b []byte, off int64, a Advice) error {
	switch a {
	case WillNeed:
		return unix.Madvise(b, unix.MADV_WILLNEED)
	case Sequential:
		return unix.Madvise(b, unix.MADV_SEQUENTIAL)
	case Random:
		return unix.Madvise(b, unix.MADV_RANDOM)
	case DontNeed:
		// The first drops the pages from this mapping, the second from the
		// page cache, where positioned reads leave theirs.
		if err := unix.Madvise(b, unix.MADV_DONTNEED); err != nil {
			return err
		}
		return unix.Fadvise(int(f.Fd()), off, int64(len(b)), unix.FADV_DONTNEED)
	}
	return nil
}
