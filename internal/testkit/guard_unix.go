//go:build unix

package testkit

import (
	"testing"

	"golang.org/x/sys/unix"
)

// guarded returns whole pages, at least n bytes, between two pages without
// access.
func guarded(tb testing.TB, n int) []byte {
	tb.Helper()
	page := unix.Getpagesize()
	n = max(n+page-1, page) / page * page
	b, err := unix.Mmap(-1, 0, n+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		tb.Fatal("testkit: mmap:", err)
	}
	tb.Cleanup(func() { unix.Munmap(b) })
	for _, guard := range [][]byte{b[:page], b[page+n:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			tb.Fatal("testkit: mprotect:", err)
		}
	}
	return b[page : page+n : page+n]
}
