package moe_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coterie-go/coterie/internal/safetensors"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
	"github.com/stretchr/testify/require"
)

// copyFile puts a copy of a file at path, which must not be there yet.
func copyFile(t *testing.T, path, from string) []byte {
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o644))
	return data
}

// TestTruncatedWhileRunning cuts a mapped file under models that are running. Their
// calls return ErrFile that names the file within a second; a model of another file
// goes on; nothing else happens to the process. Once the file has its contents
// again, in place, the same model and the same states give the bits that they
// would have given: a mapping shows what is in the file. A model with a budget
// mistrusts a file that was written to, until it also has its time again.
func TestTruncatedWhileRunning(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems refuse to truncate a mapped file, or differ in when they fault")
	}
	dir := t.TempDir()
	gguf := filepath.Join(dir, "tale.gguf")
	data := copyFile(t, gguf, "moetest/tale.gguf")
	hub := filepath.Join(dir, "hub")
	require.NoError(t, moetest.WriteRandom(hub, "olmoe", 1))
	shard := filepath.Join(hub, "model.safetensors")
	weights, err := os.ReadFile(shard)
	require.NoError(t, err)

	for _, c := range []struct {
		name, open, file string
		data             []byte
		opts             []moe.Option
	}{
		{"GGUF", gguf, gguf, data, []moe.Option{moe.WithThreads(1)}},
		{"GGUF, four threads", gguf, gguf, data, []moe.Option{moe.WithThreads(4)}},
		{"hub", hub, shard, weights, []moe.Option{moe.WithThreads(2)}},
		{"budget", gguf, gguf, data, []moe.Option{moe.WithThreads(2), moe.WithExpertBudget(2 << 20)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			info, err := os.Stat(c.file)
			require.NoError(t, err)
			m, err := moe.Open(c.open, c.opts...)
			require.NoError(t, err)
			defer m.Close()
			other, err := moetest.Tale(moe.WithThreads(1))
			require.NoError(t, err)
			defer other.Close()
			ctx := context.Background()
			prompt := make([]int32, 60)
			for i := range prompt {
				prompt[i] = int32(5 * i)
			}
			s := m.NewState()
			_, err = m.Forward(ctx, s, prompt[:10])
			require.NoError(t, err)
			fork, err := s.Fork()
			require.NoError(t, err)
			want, err := m.Forward(ctx, fork, prompt[10:])
			require.NoError(t, err)
			want = slices.Clone(want)

			failed := make(chan error, 3)
			for range cap(failed) {
				go func() {
					for {
						if _, err := m.Forward(ctx, m.NewState(), prompt); err != nil {
							failed <- err
							return
						}
					}
				}()
			}
			time.Sleep(20 * time.Millisecond)
			require.NoError(t, os.Truncate(c.file, 4096))
			cut := time.Now()
			for range cap(failed) {
				select {
				case err := <-failed:
					require.ErrorIs(t, err, moe.ErrFile)
					require.ErrorContains(t, err, c.file)
				case <-time.After(10 * time.Second):
					t.Fatal("calls go on without their file")
				}
			}
			if d := time.Since(cut); d > time.Second {
				t.Errorf("the error came after %v, want at most a second", d)
			}
			_, err = m.Forward(ctx, s, prompt[10:])
			require.ErrorIs(t, err, moe.ErrFile)
			require.Equal(t, 10, s.Len(), "what failed is not processed")
			_, err = other.Forward(ctx, other.NewState(), prompt)
			require.NoError(t, err, "another model")

			f, err := os.OpenFile(c.file, os.O_WRONLY, 0) // the same file, not another one of that name
			require.NoError(t, err)
			_, err = f.Write(c.data)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			if c.name == "budget" {
				_, err = m.Forward(ctx, s, prompt[10:])
				require.ErrorIs(t, err, moe.ErrFile)
				require.ErrorContains(t, err, "rewritten")
				require.NoError(t, os.Chtimes(c.file, info.ModTime(), info.ModTime()))
			}
			got, err := m.Forward(ctx, s, prompt[10:])
			require.NoError(t, err, "restored")
			require.Equal(t, want, got)
		})
	}
}

// TestReplacedWhileRunning puts another file in the place of an open model's, as
// downloads do, and removes it. A mapping keeps the file that was opened. A model
// with a budget says that its file is no longer the one.
func TestReplacedWhileRunning(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be replaced here")
	}
	for _, budget := range []bool{false, true} {
		dir := t.TempDir()
		path := filepath.Join(dir, "tale.gguf")
		copyFile(t, path, "moetest/tale.gguf")
		var opts []moe.Option
		if budget {
			opts = append(opts, moe.WithExpertBudget(1<<20))
		}
		m, err := moe.Open(path, opts...)
		require.NoError(t, err)
		defer m.Close()
		ctx, ids := context.Background(), []int32{1, 2, 3, 4, 5}
		want, err := m.Forward(ctx, m.NewState(), ids)
		require.NoError(t, err)
		want = slices.Clone(want)
		other := filepath.Join(dir, "other")
		require.NoError(t, os.WriteFile(other, make([]byte, 1000), 0o644))
		for _, change := range []func() error{
			func() error { return os.Rename(other, path) },
			func() error { return os.Remove(path) },
		} {
			require.NoError(t, change())
			got, err := m.Forward(ctx, m.NewState(), ids)
			if budget {
				require.ErrorIs(t, err, moe.ErrFile)
				require.ErrorContains(t, err, path)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}

// TestCutBetweenHeaderAndUse: a file that loses its end between Open and the first
// call, and one that was cut before, whose header says so.
func TestCutBetweenHeaderAndUse(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems refuse to truncate a mapped file")
	}
	dir := t.TempDir()
	require.NoError(t, moetest.WriteRandom(dir, "gpt-oss", 1))
	shard := filepath.Join(dir, "model.safetensors")
	f, err := safetensors.Open(dir)
	require.NoError(t, err)
	names := f.Names()
	require.NoError(t, f.Close())
	m, err := moe.Open(dir)
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, os.Truncate(shard, 0))
	_, err = m.Forward(context.Background(), m.NewState(), []int32{1})
	require.ErrorIs(t, err, moe.ErrFile)
	require.ErrorContains(t, err, shard)
	_, err = moe.Open(dir)
	require.ErrorIs(t, err, moe.ErrFormat)
	require.True(t, len(names) > 0 && strings.Contains(err.Error(), dir))
	_, err = m.Tokenizer() // a file of its own
	require.NoError(t, err)
}
