//go:build !unix

package testkit

import (
	"testing"
	"time"
)

// CPUTime is what a clock shows; this system's tests do without a better measure.
func CPUTime(testing.TB) time.Duration { return time.Duration(time.Now().UnixNano()) }
