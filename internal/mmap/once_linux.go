package mmap

import (
	"os"

	"golang.org/x/sys/unix"
)

// readOnce takes what lies in the page cache (RWF_NOWAIT returns just that), reads
// the rest, and drops the rest's pages again.
func (f *File) readOnce(p []byte, off int64) (int, error) {
	n := 0
	raw, err := f.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = raw.Control(func(fd uintptr) {
		for n < len(p) {
			m, err := unix.Preadv2(int(fd), [][]byte{p[n:]}, off+int64(n), unix.RWF_NOWAIT)
			if err != nil || m <= 0 { // EAGAIN, or a file system that does not know the flag
				break
			}
			n += m
		}
	})
	if err != nil {
		return 0, ErrClosed
	}
	if n == len(p) {
		return n, nil
	}
	m, err := f.ReadAt(p[n:], off+int64(n))
	if m > 0 {
		page := int64(os.Getpagesize())
		lo, hi := off+int64(n), off+int64(n+m)
		raw.Control(func(fd uintptr) {
			// Whole pages: those at the ends have been read as well.
			unix.Fadvise(int(fd), lo-lo%page, hi+(page-hi%page)%page-(lo-lo%page), unix.FADV_DONTNEED)
		})
	}
	return n + m, err
}

func unload(b []byte) error { return unix.Madvise(b, unix.MADV_DONTNEED) }
