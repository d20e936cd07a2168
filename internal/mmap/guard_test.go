package mmap

import (
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGuardTruncated(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems refuse to truncate a mapped file, or differ in when they fault")
	}
	page := os.Getpagesize()
	f, err := Open(write(t, pattern(4*page)))
	require.NoError(t, err)
	defer f.Close()

	b, sum := f.Bytes(), 0
	read := func() error {
		for i := 0; i < len(b); i += page {
			sum += int(b[i])
		}
		return nil
	}
	require.NoError(t, Guard(read))
	require.NoError(t, os.Truncate(f.Path(), int64(page)))

	err = Guard(read)
	require.ErrorIs(t, err, ErrFault)
	var fault *FaultError
	require.ErrorAs(t, err, &fault)
	require.True(t, f.Holds(fault.Addr))
	require.False(t, f.Holds(fault.Addr+uintptr(3*page)))
	require.False(t, f.Holds(0))

	changed, err := f.Changed()
	require.NoError(t, err)
	require.True(t, changed)

	// The page that is left still reads, and a positioned read is an error.
	require.NoError(t, Guard(func() error { sum += int(b[0]); return nil }))
	_, err = f.ReadAt(make([]byte, 1), int64(2*page))
	require.Error(t, err)

	// Copying is how most of the bytes are read.
	require.ErrorIs(t, Guard(func() error { copy(make([]byte, len(b)), b); return nil }), ErrFault)
}

// A write to the read-only mapping is a fault as well, not a dead process.
func TestGuardWrite(t *testing.T) {
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" || runtime.GOOS == "plan9" {
		t.Skip("no mappings here")
	}
	f, err := Open(write(t, pattern(10)))
	require.NoError(t, err)
	defer f.Close()
	require.ErrorIs(t, Guard(func() error { f.Bytes()[3] = 1; return nil }), ErrFault)
}

func TestGuardPassesThrough(t *testing.T) {
	mine := errors.New("mine")
	require.Equal(t, mine, Guard(func() error { return mine }))
	require.PanicsWithValue(t, "mine", func() { Guard(func() error { panic("mine") }) })
	require.Panics(t, func() {
		var p *File
		Guard(func() error { p.data = nil; return nil })
	}, "a nil dereference is a bug, not a fault of a file")
	require.Panics(t, func() {
		var s []int
		Guard(func() error { s[len(s)] = 1; return nil })
	})

	// The setting of the goroutine is what it was, whatever happened inside.
	require.False(t, debug.SetPanicOnFault(false))
	require.NoError(t, Guard(func() error {
		Guard(func() error { return mine })
		if !debug.SetPanicOnFault(true) {
			return errors.New("the inner guard switched the outer one off")
		}
		return nil
	}))
	require.False(t, debug.SetPanicOnFault(false))
}
