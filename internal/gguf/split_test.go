package gguf

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// fill returns a tensor's data: n bytes of b.
func fill(b byte, n int) func(io.Writer) error {
	return func(w io.Writer) error {
		for range n {
			if _, err := w.Write([]byte{b}); err != nil {
				return err
			}
		}
		return nil
	}
}

func save(t *testing.T, path string, w *Writer) {
	t.Helper()
	file, err := os.Create(path)
	require.NoError(t, err)
	defer file.Close()
	_, err = w.WriteTo(file)
	require.NoError(t, err)
}

// saveSplit writes count files of two tensors each and returns the first's
// path. edit may change what the i-th holds.
func saveSplit(t *testing.T, count int, edit func(i int, w *Writer)) string {
	t.Helper()
	dir := t.TempDir()
	path := func(i int) string {
		return filepath.Join(dir, fmt.Sprintf("m-00001-of-%05d-%05d-of-%05d.gguf", count, i+1, count))
	}
	for i := range count {
		w := NewWriter()
		w.SetKV("split.no", uint16(i))
		w.SetKV("split.count", uint16(count))
		w.SetKV("split.tensors.count", int32(2*count))
		w.SetKV("mine", uint32(i))
		for j := range 2 {
			w.AddTensor(fmt.Sprintf("t.%d.%d", i, j), 24, []uint64{40}, 40, fill(byte(10*i+j), 40))
		}
		if edit != nil {
			edit(i, w)
		}
		save(t, path(i), w)
	}
	return path(0)
}

func TestSplit(t *testing.T) {
	for _, count := range []int{1, 2, 3, 12} {
		f, err := Open(saveSplit(t, count, nil), ggmlSizes)
		require.NoError(t, err)
		sound(t, f, err)
		require.Len(t, f.Shards(), count)
		require.Len(t, f.Tensors(), 2*count)
		mine, ok, err := f.Uint("mine")
		require.NoError(t, err)
		require.True(t, ok)
		require.Zero(t, mine, "the metadata of the first")
		for i := range count {
			for j := range 2 {
				x, ok := f.Tensor(fmt.Sprintf("t.%d.%d", i, j))
				require.True(t, ok)
				require.Equal(t, i, x.Shard)
				b := f.Bytes(x)
				require.Len(t, b, 40)
				require.Equal(t, byte(10*i+j), b[39])
				p := make([]byte, 40)
				_, err := f.Shards()[x.Shard].ReadAt(p, x.Offset)
				require.NoError(t, err)
				require.Equal(t, b, p)
			}
		}
		require.NoError(t, f.Close())
	}
}

func TestSplitRefused(t *testing.T) {
	refused := func(t *testing.T, path string, is error, says string) {
		t.Helper()
		f, err := Open(path, ggmlSizes)
		require.Nil(t, f)
		require.ErrorIs(t, err, is)
		require.Contains(t, err.Error(), says)
	}
	sibling := func(path string, i int) string {
		return path[:len(path)-len("00001-of-00003.gguf")] + fmt.Sprintf("%05d-of-00003.gguf", i)
	}
	t.Run("a file missing", func(t *testing.T) {
		path := saveSplit(t, 3, nil)
		require.NoError(t, os.Remove(sibling(path, 2)))
		refused(t, path, ErrSplit, "file 2 of 3")
		refused(t, path, fs.ErrNotExist, "00002-of-00003.gguf")
	})
	t.Run("not the first", func(t *testing.T) {
		refused(t, sibling(saveSplit(t, 3, nil), 2), ErrSplit, "expected the first of them, named NAME-00001-of-00003.gguf")
	})
	t.Run("renamed to look like the first", func(t *testing.T) {
		path := saveSplit(t, 3, nil)
		require.NoError(t, os.Rename(sibling(path, 2), path))
		refused(t, path, ErrSplit, `key "split.no": expected 0, found 1`)
	})
	t.Run("siblings swapped", func(t *testing.T) {
		path := saveSplit(t, 3, nil)
		require.NoError(t, os.Rename(sibling(path, 3), sibling(path, 2)))
		refused(t, path, ErrSplit, `key "split.no": expected 1, found 2`)
	})
	t.Run("a name that is no split's", func(t *testing.T) {
		path := saveSplit(t, 3, nil)
		other := filepath.Join(filepath.Dir(path), "model.gguf")
		require.NoError(t, os.Rename(path, other))
		refused(t, other, ErrSplit, "one of 3 files")
	})
	t.Run("count in the name and in the file differ", func(t *testing.T) {
		path := saveSplit(t, 3, func(i int, w *Writer) { w.SetKV("split.count", uint16(4)) })
		refused(t, path, ErrSplit, "one of 4 files")
	})
	t.Run("a sibling of another count", func(t *testing.T) {
		path := saveSplit(t, 3, func(i int, w *Writer) {
			if i == 1 {
				w.SetKV("split.count", uint16(2))
			}
		})
		refused(t, path, ErrSplit, `key "split.count": expected 3, found 2`)
	})
	t.Run("number of tensors", func(t *testing.T) {
		path := saveSplit(t, 3, func(i int, w *Writer) { w.SetKV("split.tensors.count", int32(7)) })
		refused(t, path, ErrSplit, "6 tensors in 3 files, expected 7")
	})
	t.Run("key of the wrong type", func(t *testing.T) {
		path := saveSplit(t, 3, func(i int, w *Writer) { w.SetKV("split.no", "../../etc") })
		refused(t, path, ErrType, `key "split.no"`)
	})
	t.Run("a tensor in two files", func(t *testing.T) {
		path := saveSplit(t, 3, func(i int, w *Writer) { w.AddTensor("twice", 24, []uint64{1}, 1, fill(0, 1)) })
		path2 := saveSplit(t, 3, func(i int, w *Writer) {
			w.SetKV("split.tensors.count", int32(9))
			w.AddTensor("twice", 24, []uint64{1}, 1, fill(0, 1))
		})
		refused(t, path, ErrSplit, "9 tensors in 3 files, expected 6")
		refused(t, path2, ErrDuplicate, `tensor "twice"`)
	})
	t.Run("a damaged sibling", func(t *testing.T) {
		path := saveSplit(t, 3, nil)
		require.NoError(t, os.Truncate(sibling(path, 3), 100))
		refused(t, path, ErrTruncated, "00003-of-00003.gguf")
	})
	t.Run("a directory for a sibling", func(t *testing.T) {
		path := saveSplit(t, 3, nil)
		require.NoError(t, os.Remove(sibling(path, 3)))
		require.NoError(t, os.Mkdir(sibling(path, 3), 0o755))
		refused(t, path, ErrSplit, "not a regular file")
	})
}

// Open must leave no file open when it fails: on Linux the open ones can be
// counted.
func TestOpenLeaksNothing(t *testing.T) {
	count := func() int {
		d, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(d)
	}
	path := saveSplit(t, 3, func(i int, w *Writer) { w.SetKV("split.tensors.count", int32(7)) })
	before := count()
	for range 20 {
		_, err := Open(path, ggmlSizes)
		require.Error(t, err)
	}
	require.InDelta(t, before, count(), 3)
}
