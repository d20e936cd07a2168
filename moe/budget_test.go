package moe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coterie-go/coterie/expert"
	"github.com/stretchr/testify/require"
)

const smallModel = "moetest/tale.gguf"

// leastBudget asks for too little and reads the minimum off the error.
func leastBudget(t *testing.T, path string) int64 {
	t.Helper()
	_, err := Open(path, WithExpertBudget(1))
	require.ErrorIs(t, err, expert.ErrBudget)
	require.ErrorIs(t, err, ErrOption)
	var least int64
	_, after, ok := strings.Cut(err.Error(), "want at least ")
	require.True(t, ok, err)
	_, err = fmt.Sscan(after, &least)
	require.NoError(t, err)
	return least
}

// logitsOf returns the logits of ids, together, and of some tokens after them, one by one.
func logitsOf(t *testing.T, path string, ids []int32, opts ...Option) []float32 {
	t.Helper()
	m, err := Open(path, append(opts, WithThreads(2))...)
	require.NoError(t, err)
	defer m.Close()
	s := m.NewState()
	all, err := m.ForwardAll(context.Background(), s, ids)
	require.NoError(t, err)
	for range 8 { // and single tokens
		logits, err := m.Forward(context.Background(), s, []int32{argmax(all[len(all)-m.cfg.Vocab:])})
		require.NoError(t, err)
		all = append(all, logits...)
	}
	return all
}

// tokensOf returns n tokens that every test model has.
func tokensOf(n int) (ids []int32) {
	for i := range n {
		ids = append(ids, int32(i*7%97+3))
	}
	return ids
}

// checkpoints returns Tale and the golden checkpoints of both spellings.
func checkpoints(t *testing.T) []string {
	paths := []string{smallModel}
	dirs, _ := goldenDirs(t)
	for _, dir := range dirs {
		for _, pattern := range []string{"*/config.json", "gguf/*.gguf"} {
			found, _ := filepath.Glob(filepath.Join(dir, pattern))
			for _, p := range found {
				paths = append(paths, strings.TrimSuffix(p, "/config.json"))
			}
		}
	}
	return paths
}

// TestBudgetBits: the bits do not depend on the budget, for every layout of
// experts that there is.
func TestBudgetBits(t *testing.T) {
	ids := tokensOf(40)
	for _, path := range checkpoints(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m, err := Open(path)
			if err != nil {
				t.Skip(err)
			}
			fp, routed := m.Footprint(), m.cfg.Routed()
			m.Close()
			if routed == 0 {
				t.Skip("no routed experts")
			}
			want := logitsOf(t, path, ids)
			least := leastBudget(t, path)
			_, err = Open(path, WithExpertBudget(least-1))
			require.ErrorIs(t, err, expert.ErrBudget)
			for _, b := range []int64{least, least * 3 / 2, fp.Routed / 2, 2*fp.Routed + 1<<20} {
				b = max(b, least)
				sameBits(t, fmt.Sprint("budget ", b), logitsOf(t, path, ids, WithExpertBudget(b)), want)
			}
			sameBits(t, "LRU, chunks of 5, prefetch", logitsOf(t, path, ids,
				WithExpertBudget(least), WithExpertPolicy(expert.LRU), WithChunk(5), WithExpertPrefetch()), want)
		})
	}
}

// faulty is a source whose reads can be made to fail.
type faulty struct {
	expert.Source
	mode *atomic.Int32
	hang chan struct{}
}

const (
	sound = iota
	short
	broken
	hung
	replaced
)

var errGone = errors.New("no such device")

func (f faulty) ReadAt(p []byte, off int64) (int, error) {
	switch f.mode.Load() {
	case short:
		return f.Source.ReadAt(p[:len(p)/2], off)
	case broken:
		return 0, errGone
	case hung:
		<-f.hang
	}
	return f.Source.ReadAt(p, off)
}

func (f faulty) Changed() (bool, error) {
	if f.mode.Load() == replaced {
		return true, nil
	}
	return f.Source.Changed()
}

// TestBudgetFaults: what goes wrong with a file is an error that names it, the
// layer and the expert; once it is gone, the model computes what it always did.
func TestBudgetFaults(t *testing.T) {
	var mode atomic.Int32
	hang := make(chan struct{})
	inject := func(o *options) error {
		o.budget.wrap = func(s expert.Source) expert.Source { return faulty{s, &mode, hang} }
		return nil
	}
	m, err := Open(smallModel, WithExpertBudget(leastBudget(t, smallModel)), inject)
	require.NoError(t, err)
	defer m.Close()
	ctx := context.Background()
	ids := []int32{5, 6, 7, 8, 9, 10, 11}
	s := m.NewState()
	want, err := m.Forward(ctx, m.NewState(), ids)
	require.NoError(t, err)
	_, err = m.Forward(ctx, s, ids[:3])
	require.NoError(t, err)

	for _, c := range []struct {
		mode int32
		is   error
	}{{short, expert.ErrRead}, {broken, errGone}, {replaced, expert.ErrChanged}, {hung, context.DeadlineExceeded}} {
		mode.Store(c.mode)
		began := time.Now()
		limited, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		if c.mode != hung {
			cancel()
			limited, cancel = ctx, func() {}
		}
		_, err = m.Forward(limited, s, ids[3:])
		cancel()
		require.Less(t, time.Since(began), time.Second)
		require.ErrorIs(t, err, c.is)
		var where *expert.LoadError
		require.ErrorAs(t, err, &where)
		require.Equal(t, smallModel, where.Path)
		require.True(t, m.w.layers[where.Layer].experts != nil, "layer %d has experts", where.Layer)
		require.Less(t, where.Expert, m.cfg.Router.Experts)
		for _, part := range []string{smallModel, fmt.Sprint("layer ", where.Layer), fmt.Sprint("expert ", where.Expert)} {
			require.ErrorContains(t, err, part)
		}
		if c.mode != hung {
			require.ErrorIs(t, err, ErrFile)
		}
		mode.Store(sound)
		if c.mode == hung {
			close(hang)
		}
		require.Equal(t, 3, s.Len())
		f, err := s.Fork()
		require.NoError(t, err)
		got, err := m.Forward(ctx, f, ids[3:])
		require.NoError(t, err)
		sameBits(t, fmt.Sprint("after fault ", c.mode), got, want)
	}
}

// TestBudgetTruncated cuts the file off, and rewrites it, under a running model.
func TestBudgetTruncated(t *testing.T) {
	data, err := os.ReadFile(smallModel)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "tale.gguf")
	require.NoError(t, os.WriteFile(path, data, 0o644))
	info, err := os.Stat(path)
	require.NoError(t, err)
	m, err := Open(path, WithExpertBudget(leastBudget(t, path)))
	require.NoError(t, err)
	defer m.Close()
	ctx := context.Background()
	ids := []int32{5, 6, 7, 8, 9, 10, 11}
	want, err := m.Forward(ctx, m.NewState(), ids)
	require.NoError(t, err)

	require.NoError(t, os.Truncate(path, int64(len(data)/3)))
	_, err = m.Forward(ctx, m.NewState(), ids)
	require.ErrorIs(t, err, ErrFile)
	var where *expert.LoadError
	require.ErrorAs(t, err, &where)
	require.Equal(t, path, where.Path)

	require.NoError(t, os.WriteFile(path, make([]byte, len(data)), 0o644))
	_, err = m.Forward(ctx, m.NewState(), ids)
	require.ErrorIs(t, err, expert.ErrChanged, "zeros are not weights")

	require.NoError(t, os.WriteFile(path, data, 0o644))
	require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	got, err := m.Forward(ctx, m.NewState(), ids)
	require.NoError(t, err)
	sameBits(t, "after the file is back", got, want)
}

// TestBudgetClose closes a model while others run, with a budget and mapped: they
// get ErrClosed or results.
func TestBudgetClose(t *testing.T) {
	least := leastBudget(t, smallModel)
	want := logitsOf(t, smallModel, []int32{5, 6, 7})[2*2048:]
	for round := range 12 {
		opts := []Option{WithExpertBudget(least)}
		if round%3 == 0 {
			opts = nil
		}
		m, err := Open(smallModel, opts...)
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				for {
					got, err := m.Forward(context.Background(), m.NewState(), []int32{5, 6, 7})
					if err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
					sameBits(t, "while closing", got, want[:len(got)])
				}
			})
		}
		time.Sleep(time.Duration(round) * 3 * time.Millisecond)
		require.NoError(t, m.Close())
		wg.Wait()
	}
}

// TestBudgetShared: many callers on the least budget finish, each with the bits of
// one alone, and requests add up.
func TestBudgetShared(t *testing.T) {
	// Twice the least: a single working set is replaced by each layer, and hit by luck.
	m, err := Open(smallModel, WithExpertBudget(2*leastBudget(t, smallModel)))
	require.NoError(t, err)
	defer m.Close()
	prompt := func(g int) (ids []int32) {
		for i := range 20 + g {
			ids = append(ids, int32((g*31+i*13)%2000+3))
		}
		return
	}
	var want [8][]float32
	for g := range want {
		want[g], err = m.ForwardAll(context.Background(), m.NewState(), prompt(g))
		require.NoError(t, err)
	}
	var wg sync.WaitGroup
	for g := range want {
		wg.Go(func() {
			s := m.NewState()
			var got []float32
			for _, id := range prompt(g) {
				logits, err := m.Forward(context.Background(), s, []int32{id})
				if err != nil {
					t.Error(err)
					return
				}
				got = append(got, logits...)
			}
			sameBits(t, "together", got, want[g])
		})
	}
	wg.Wait()
	x := m.ExpertMetrics()
	sum, _ := x.Total()
	require.LessOrEqual(t, x.Used, x.Budget)
	require.Positive(t, sum.Hits)
	require.Positive(t, sum.Misses)
	require.Positive(t, sum.Bytes)
	require.Positive(t, x.Evictions)
}

func TestBudgetOptions(t *testing.T) {
	data, err := os.ReadFile(smallModel)
	require.NoError(t, err)
	_, err = OpenBytes(data, WithExpertBudget(1<<30))
	require.ErrorIs(t, err, ErrOption)
	_, err = Open(smallModel, WithExpertBudget(0))
	require.ErrorIs(t, err, ErrOption)
	_, err = Open(smallModel, WithExpertPolicy(nil))
	require.ErrorIs(t, err, ErrOption)
}

// TestScratchEstimate: what a chunk's activations take is what shortening chunks
// reckons with.
func TestScratchEstimate(t *testing.T) {
	m, err := Open(smallModel, WithExpertBudget(leastBudget(t, smallModel)), WithThreads(2))
	require.NoError(t, err)
	defer m.Close()
	ids := make([]int32, m.opts.chunk)
	for i := range ids {
		ids[i] = int32(i*37%2000 + 3)
	}
	s := m.NewState()
	_, err = m.Forward(context.Background(), s, ids[:fewTokens+1]) // what does not grow with the chunk
	require.NoError(t, err)
	heap := func() int64 {
		var x runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&x)
		return int64(x.HeapAlloc)
	}
	old := <-m.budget.whole
	require.Equal(t, m.opts.chunk, old.room, "a prompt of any length makes room for a whole chunk")
	old.memory.Free()
	m.budget.turns = newTurns(m)
	whole := <-m.budget.whole
	m.budget.whole <- whole
	before := heap()
	s = m.NewState()
	_, err = m.Forward(context.Background(), s, ids)
	require.NoError(t, err)
	took, apart := heap()-before-s.Bytes(), whole.memory.Bytes()
	onHeap, off := m.scratchPerToken()
	onHeap, off = onHeap*int64(m.opts.chunk), off*int64(m.opts.chunk)
	t.Logf("chunks of %d: on the heap %d KB, reckoned with %d KB; off it %d KB, reckoned with %d KB", m.opts.chunk, took>>10, onHeap>>10, apart>>10, off>>10)
	require.Less(t, took, onHeap+onHeap/4+1<<20)
	require.Less(t, apart, off+off/20+1<<20)
	require.Greater(t, took+apart, (onHeap+off)/3)
	require.LessOrEqual(t, 2*onHeap+off, int64(Allowance))
}

// TestBudgetReadsOnce: a chunk of a prompt reads each expert that it chooses once, be
// there room for a layer's experts or for no more than a token needs.
func TestBudgetReadsOnce(t *testing.T) {
	least := leastBudget(t, smallModel)
	ids := make([]int32, 48)
	for i := range ids {
		ids[i] = int32(i*13%2000 + 3)
	}
	var once int64 // bytes of an expert, known where there is room for all
	for _, budget := range []int64{64 * least, least, 2 * least} {
		m, err := Open(smallModel, WithExpertBudget(budget), WithChunk(len(ids)))
		require.NoError(t, err)
		defer m.Close()
		for chunk := range 3 {
			before := m.ExpertMetrics()
			_, err = m.Forward(context.Background(), m.NewState(), ids)
			require.NoError(t, err)
			read := 0
			for i, layer := range m.ExpertMetrics().Layers {
				for j, e := range layer.Experts {
					was := before.Layers[i].Experts[j]
					n := e.Bytes - was.Bytes
					if n == 0 {
						continue
					}
					read++
					if once == 0 {
						once = int64(n)
					}
					require.EqualValues(t, once, n, "budget %d, chunk %d, layer %d, expert %d", budget, chunk, i, j)
					require.LessOrEqual(t, e.Misses-was.Misses, uint64(1))
				}
			}
			if chunk == 0 || budget == least {
				require.Positive(t, read)
			}
		}
	}
}
