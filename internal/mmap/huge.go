package mmap

// Huge asks for large pages where b, from Alloc, covers whole ones: fewer faults
// when it is first written, fewer misses when addresses are looked up. It is a
// hint, and what b takes at most stays the same.
func Huge(b []byte) {
	if len(b) > 0 {
		huge(b)
	}
}
