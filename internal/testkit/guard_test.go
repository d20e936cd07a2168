package testkit

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// faults reports whether reading p[i] through a pointer past the slice faults.
func faults(f func()) (hit bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { hit = recover() != nil }()
	f()
	return
}

func TestGuardPages(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" || runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("no guard pages here")
	}
	for _, n := range []int{1, 3, 1024, 5000} {
		b := Before[float32](t, n, 0)
		b[0], b[n-1] = 1, 2
		if !faults(func() { sink = *at(b, n) }) {
			t.Errorf("reading past the end of %d values did not fault", n)
		}
		a := After[float32](t, n, 0)
		a[0], a[n-1] = 1, 2
		if !faults(func() { sink = *at(a, -1) }) {
			t.Errorf("reading before the start of %d values did not fault", n)
		}
		if o := Before[float32](t, n, 3); faults(func() { sink = *at(o, n+2) }) || !faults(func() { sink = *at(o, n+3) }) {
			t.Errorf("off does not move the slice of %d by 3", n)
		}
	}
}

var sink float32
