package mmap

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.bin")
	require.NoError(t, os.WriteFile(path, data, 0o644))
	return path
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func TestOpenBytesReadAt(t *testing.T) {
	page := os.Getpagesize()
	for _, n := range []int{0, 1, page - 1, page, page + 1, 3*page + 17} {
		want := pattern(n)
		path := write(t, want)
		f, err := Open(path)
		require.NoError(t, err)
		require.Equal(t, path, f.Path())
		require.Equal(t, int64(n), f.Size())
		require.NotNil(t, f.Bytes())
		require.True(t, bytes.Equal(want, f.Bytes()))

		got, err := io.ReadAll(io.NewSectionReader(f, 0, int64(n)))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
		m, err := f.ReadAt(make([]byte, 8), int64(n)-3)
		if n >= 3 {
			require.Equal(t, 3, m)
			require.Equal(t, io.EOF, err)
		} else {
			require.Error(t, err) // a negative offset
		}
		require.NoError(t, f.Close())
	}
}

func TestClosed(t *testing.T) {
	f, err := Open(write(t, pattern(100)))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, f.Close(), "closing twice")
	require.Nil(t, f.Bytes())
	_, err = f.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, err, os.ErrClosed)
	require.ErrorIs(t, f.Advise(0, 1, WillNeed), ErrClosed)
	_, err = f.Changed()
	require.ErrorIs(t, err, ErrClosed)
	require.Equal(t, int64(100), f.Size())
}

func TestOpenRefuses(t *testing.T) {
	_, err := Open(t.TempDir())
	require.ErrorIs(t, err, ErrNotRegular)
	_, err = Open(filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAdvise(t *testing.T) {
	page := int64(os.Getpagesize())
	want := pattern(int(5*page + 100))
	f, err := Open(write(t, want))
	require.NoError(t, err)
	defer f.Close()
	n := f.Size()
	for _, a := range []Advice{WillNeed, DontNeed, Sequential, Random, Advice(99)} {
		for _, r := range [][2]int64{{0, n}, {1, 1}, {page - 1, 2}, {n - 1, 1}, {n, 0}, {page, page}} {
			require.NoError(t, f.Advise(r[0], r[1], a), "advice %d at %d+%d", a, r[0], r[1])
		}
		for _, r := range [][2]int64{{-1, 1}, {0, n + 1}, {n + 1, 0}, {1, -1}, {1, 1<<63 - 1}} {
			require.ErrorIs(t, f.Advise(r[0], r[1], a), ErrRange, "advice %d at %d+%d", a, r[0], r[1])
		}
	}
	require.True(t, bytes.Equal(want, f.Bytes()), "advice changed what is read")
}

func TestPages(t *testing.T) {
	for _, c := range []struct {
		lo, hi, size int64
		a            Advice
		wlo, whi     int64
	}{
		{5, 6, 100, WillNeed, 0, 10},
		{10, 20, 100, WillNeed, 10, 20},
		{99, 103, 103, Random, 90, 103},
		{5, 35, 100, DontNeed, 10, 30},
		{10, 20, 100, DontNeed, 10, 20},
		{5, 9, 100, DontNeed, 10, 0},
		{95, 103, 103, DontNeed, 100, 103},
	} {
		lo, hi := pages(c.lo, c.hi, c.size, 10, c.a)
		require.Equal(t, [2]int64{c.wlo, c.whi}, [2]int64{lo, hi}, "%+v", c)
	}
}

func TestAlloc(t *testing.T) {
	for _, n := range []int{1, 100, os.Getpagesize(), 1<<20 + 3} {
		b, err := Alloc(n)
		require.NoError(t, err)
		require.Len(t, b, n)
		for i := range b {
			require.Zero(t, b[i])
			b[i] = byte(i)
		}
		require.NoError(t, Free(b[:0]), "a shorter slice with the same start")
	}
	b, err := Alloc(0)
	require.NoError(t, err)
	require.Empty(t, b)
	require.NoError(t, Free(b))
	_, err = Alloc(-1)
	require.ErrorIs(t, err, ErrRange)
	if bits.UintSize == 64 { // 2 GB may well be there on the others
		_, err = Alloc(math.MaxInt - 1<<20)
		require.Error(t, err, "more than the address space has")
	}
}

func TestChanged(t *testing.T) {
	data := pattern(1000)
	open := func(t *testing.T) *File {
		f, err := Open(write(t, data))
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		changed, err := f.Changed()
		require.NoError(t, err)
		require.False(t, changed)
		return f
	}
	check := func(t *testing.T, f *File) {
		changed, err := f.Changed()
		require.NoError(t, err)
		require.True(t, changed)
	}
	t.Run("grown", func(t *testing.T) {
		f := open(t)
		require.NoError(t, os.Truncate(f.Path(), 2000))
		check(t, f)
	})
	t.Run("rewritten", func(t *testing.T) {
		f := open(t)
		later := f.info.ModTime().Add(time.Second)
		require.NoError(t, os.Chtimes(f.Path(), later, later))
		check(t, f)
	})
	t.Run("removed", func(t *testing.T) {
		f := open(t)
		if err := os.Remove(f.Path()); err != nil {
			t.Skip("the system keeps open files: ", err)
		}
		check(t, f)
		require.True(t, bytes.Equal(data, f.Bytes()), "a removed file stays readable")
	})
	t.Run("replaced", func(t *testing.T) {
		f := open(t)
		other := f.Path() + ".new"
		require.NoError(t, os.WriteFile(other, data, 0o644))
		require.NoError(t, os.Chtimes(other, f.info.ModTime(), f.info.ModTime()))
		if err := os.Rename(other, f.Path()); err != nil {
			t.Skip("the system keeps open files: ", err)
		}
		check(t, f)
		require.True(t, bytes.Equal(data, f.Bytes()), "a replaced file stays readable")
	})
}

// Close must not unmap under a call that is using the mapping.
func TestConcurrentClose(t *testing.T) {
	f, err := Open(write(t, pattern(1<<16)))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p := make([]byte, 64)
			for i := range 1000 {
				for _, err := range []error{
					second(f.ReadAt(p, int64(i))), f.Advise(int64(i), 100, WillNeed), second(f.Changed()),
				} {
					if err != nil && !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
				}
				f.Holds(uintptr(i))
			}
		})
	}
	wg.Go(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
}

func second[T any](_ T, err error) error { return err }

// TestReadCached: what was just written lies in the system's cache, what was dropped
// from it does not, and what is read once does not come to lie there.
func TestReadCached(t *testing.T) {
	page := os.Getpagesize()
	data := pattern(64*page + 5)
	f, err := Open(write(t, data))
	require.NoError(t, err)
	defer f.Close()
	if runtime.GOOS != "linux" {
		require.Zero(t, f.ReadCached(make([]byte, 10), 0))
		return
	}
	got := make([]byte, len(data)+10)
	switch n := f.ReadCached(got, 0); n {
	case 0:
		t.Skip("a file system that cannot tell")
	default:
		require.True(t, bytes.Equal(data, got[:n]))
	}
	require.Equal(t, 5, f.ReadCached(got, int64(64*page)), "up to the end")
	require.Zero(t, f.ReadCached(got, int64(len(data))))
	require.Zero(t, f.ReadCached(nil, 0))

	require.NoError(t, f.file.Sync())
	require.NoError(t, f.Advise(0, f.Size(), DontNeed))
	// Resident, because asking by a read may have the system fetch what it says is not
	// there; and all of the file, because it fetches several pages as one, which stays
	// unless all of it is dropped.
	if n, err := f.Resident(0, f.Size()); n > 0 || err != nil {
		t.Skip("a file system that keeps its cache")
	}
	clear(got)
	n, err := f.ReadOnce(got[:len(data)], 0)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got[:n]))
	left, err := f.Resident(0, f.Size())
	require.NoError(t, err)
	require.Zero(t, left, "read once")
	n, err = f.ReadAt(got[:page], int64(page))
	require.NoError(t, err)
	require.Equal(t, page, f.ReadCached(got[:n], int64(page)), "read")

	require.Zero(t, testing.AllocsPerRun(10, func() { f.ReadCached(got[:page], int64(page)) }))
	require.NoError(t, f.Close())
	require.Zero(t, f.ReadCached(got, 0))
}

// TestResident: what was dropped is not in memory, what was read is, and Open asks for
// the head of a file alone.
func TestResident(t *testing.T) {
	page := int64(os.Getpagesize())
	path := write(t, pattern(int(4*headBytes+5)))
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Resident(1, f.Size())
	require.ErrorIs(t, err, ErrRange)
	all, err := f.Resident(0, f.Size())
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("a system that does not tell")
	}
	require.NoError(t, err)
	require.Equal(t, f.Size(), all, "just written")
	last, err := f.Resident(f.Size()-1, 1)
	require.NoError(t, err)
	require.Equal(t, int64(5), last, "a page that is not whole")
	none, err := f.Resident(0, 0)
	require.NoError(t, err)
	require.Zero(t, none)

	require.NoError(t, f.file.Sync())
	require.NoError(t, f.Advise(0, f.Size(), DontNeed))
	if n, _ := f.Resident(0, f.Size()); n > 0 {
		t.Skip("a file system that keeps its cache")
	}
	again, err := Open(path)
	require.NoError(t, err)
	defer again.Close()
	require.Equal(t, byte(0), again.Bytes()[0]) // has come by now
	head, err := f.Resident(0, f.Size())
	require.NoError(t, err)
	require.True(t, page <= head && head <= headBytes, "found %d bytes, want a page to %d", head, headBytes)

	require.NoError(t, f.Close())
	_, err = f.Resident(0, 1)
	require.ErrorIs(t, err, ErrClosed)
}
