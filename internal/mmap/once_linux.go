package mmap

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readCached reads until RWF_NOWAIT says that storage would have to be waited for,
// or that the file system does not know the flag. The caller holds f.mu.
func (f *File) readCached(p []byte, off int64) (n int) {
	fd := f.file.Fd()
	for n < len(p) {
		v := unix.Iovec{Base: &p[n]}
		v.SetLen(len(p) - n)
		// The system wants the offset in two halves. Preadv2 would allocate.
		m, _, errno := unix.Syscall6(unix.SYS_PREADV2, fd, uintptr(unsafe.Pointer(&v)), 1,
			uintptr(off+int64(n)), uintptr((off+int64(n))>>32), unix.RWF_NOWAIT)
		if errno != 0 || m == 0 {
			break
		}
		n += int(m)
	}
	return n
}

// readOnce takes what lies in the page cache, reads the rest, and drops the rest's
// pages again.
func (f *File) readOnce(p []byte, off int64) (int, error) {
	n := f.ReadCached(p, off)
	if n == len(p) {
		return n, nil
	}
	m, err := f.ReadAt(p[n:], off+int64(n))
	if raw, e := f.file.SyscallConn(); m > 0 && e == nil {
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
