//go:build unix

package testkit

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime is the processor time that this process has used. A limit held against
// it is not exceeded because the machine is busy, or the process stopped.
func CPUTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		tb.Fatal("testkit: getrusage:", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
