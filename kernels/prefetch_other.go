//go:build purego || !amd64

package kernels

// Prefetch asks for the cache lines of b, to be on their way to the second cache: a
// hint, which a CPU may drop, and which never faults. This build has none.
func Prefetch(b []byte) {}
