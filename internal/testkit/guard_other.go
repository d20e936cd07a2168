//go:build !unix

package testkit

import "testing"

// guarded returns n bytes; this system's tests do without guard pages.
func guarded(_ testing.TB, n int) []byte { return make([]byte, n) }
