package mmap

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// resident asks mincore, which looks into the page cache too, a byte each page. The
// system answers for files that the caller owns or may write, and says of others
// that all of them is in memory.
func resident(b []byte) (int64, error) {
	page := os.Getpagesize()
	in := make([]byte, (len(b)+page-1)/page)
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(unsafe.Pointer(unsafe.SliceData(in)))); errno != 0 {
		return 0, os.NewSyscallError("mincore", errno)
	}
	n := 0
	for i, v := range in {
		if v&1 != 0 {
			n += min(page, len(b)-i*page)
		}
	}
	return int64(n), nil
}
