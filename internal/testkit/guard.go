package testkit

import (
	"testing"
	"unsafe"
)

// Before returns n zeroed values whose last byte is the last before a page that
// may not be touched: reading or writing past the end kills the test. off moves
// the slice down by as many values, for other alignments; those off values
// behind it are then writable and checked by nobody.
//
// T holds no pointers. The memory lives until the test ends.
func Before[T any](tb testing.TB, n, off int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	b := guarded(tb, (n+off)*size)
	return cast[T](b[len(b)-(n+off)*size:], n)
}

// After returns n zeroed values that begin off values behind a page that may not
// be touched.
func After[T any](tb testing.TB, n, off int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	b := guarded(tb, (n+off)*size)
	return cast[T](b[off*size:], n)
}

// Copy returns a copy of s that lies like [Before] with off 0.
func Copy[T any](tb testing.TB, s []T) []T {
	c := Before[T](tb, len(s), 0)
	copy(c, s)
	return c
}

// cast views bytes as values. Both page ends are multiples of every T's alignment
// whose size is one of its alignment's multiples, as all Go types' are.
func cast[T any](b []byte, n int) []T {
	if n == 0 {
		return []T{}
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}
