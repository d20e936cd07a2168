package moe_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
	"github.com/stretchr/testify/require"
)

// soak is a set of models under mixed requests.
type soak struct {
	paths []string
	opts  map[string][]moe.Option // kinds of models
	kinds []string

	mu     sync.Mutex
	shared map[string]*use // open models, which requests share
}

type use struct {
	*moe.Model
	n int
}

// request describes one; what it returns depends on seed alone.
type request struct {
	seed   uint64
	cancel bool // at a random moment
}

// model returns an open model of a kind; done gives it back, and the last one, or
// a careless one, closes it.
//
//lint:ignore ST1008 what gives the model back is no result of the opening
func (s *soak) model(kind int, path string) (*moe.Model, error, func(closeNow bool)) {
	key := s.kinds[kind] + path
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.shared[key]
	if u == nil {
		m, err := moe.Open(path, s.opts[s.kinds[kind]]...)
		if err != nil {
			return nil, err, nil
		}
		u = &use{Model: m}
		s.shared[key] = u
	}
	u.n++
	return u.Model, nil, func(closeNow bool) {
		s.mu.Lock()
		u.n--
		last := u.n == 0
		if (closeNow || last) && s.shared[key] == u {
			delete(s.shared, key)
		}
		s.mu.Unlock()
		if closeNow || last {
			u.Close()
		}
	}
}

// do runs a request and returns a digest of everything that it computed. An error
// means that it was cancelled, or its model closed, on the way.
func (s *soak) do(r request) (string, error) {
	rng := rand.New(rand.NewPCG(r.seed, 9))
	path, kind := s.paths[rng.IntN(len(s.paths))], rng.IntN(len(s.kinds))
	fate := rand.New(rand.NewPCG(r.seed, 10))
	careless := r.cancel && fate.IntN(40) == 0 // closes the model, whoever uses it
	m, err, done := s.model(kind, path)
	if err != nil {
		return "", err
	}
	defer func() { done(careless) }()
	ctx := context.Background()
	if r.cancel && !careless {
		c, cancel := context.WithTimeout(ctx, time.Duration(fate.IntN(8000))*time.Microsecond)
		defer cancel()
		ctx = c
	}
	h := sha256.New()
	put := func(x []float32) {
		for _, v := range x {
			h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
		}
	}
	ids := func(n int) []int32 {
		list := make([]int32, n)
		for i := range list {
			list[i] = int32(rng.IntN(m.Config().Vocab))
		}
		return list
	}
	st := m.NewState()
	switch rng.IntN(5) {
	case 0: // a prompt and some steps
		for range 4 {
			x, err := m.Forward(ctx, st, ids(1+rng.IntN(20)))
			if err != nil {
				return "", err
			}
			put(x)
		}
	case 1: // all logits
		x, err := m.ForwardAll(ctx, st, ids(1+rng.IntN(30)))
		if err != nil {
			return "", err
		}
		put(x)
	case 2: // several at once
		steps := make([]moe.Step, 2+rng.IntN(4))
		for i := range steps {
			steps[i] = moe.Step{State: m.NewState(), Tokens: ids(1 + rng.IntN(12)), All: i%2 == 0}
		}
		for range 2 {
			if err := m.ForwardBatch(ctx, steps); err != nil {
				return "", err
			}
			for i := range steps {
				put(steps[i].Logits)
				steps[i].Tokens = ids(1)
			}
		}
	case 3: // a text
		opt := moe.Sampling{Temperature: float32(rng.IntN(2)), Seed: r.seed, MaxTokens: 8}
		for tok, err := range m.GenerateTokens(ctx, st, ids(1+rng.IntN(6)), opt) {
			if err != nil {
				return "", err
			}
			fmt.Fprint(h, tok.ID, tok.Text, tok.LogProb)
		}
	case 4: // branches of one text
		if _, err := m.Forward(ctx, st, ids(2+rng.IntN(70))); err != nil {
			return "", err
		}
		for range 3 {
			f, err := st.Fork()
			if err != nil {
				return "", err
			}
			x, err := m.Forward(ctx, f, ids(1+rng.IntN(3)))
			if err != nil {
				return "", err
			}
			put(x)
		}
		n := rng.IntN(2) * (st.Len() - 1) // where windows and memories do not forbid it
		if err := st.Truncate(n); err == nil {
			x, err := m.Forward(ctx, st, ids(2))
			if err != nil {
				return "", err
			}
			put(x)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}

// TestSoak: 8 goroutines send mixed requests, many of which are cancelled or lose
// their model half-way. Whatever ends gives the bits of a run alone, and afterwards
// there are no more goroutines, files, mappings and bytes than before.
func TestSoak(t *testing.T) {
	requests, rounds := 100, 3
	if long() {
		requests, rounds = 2000, 4
	}
	if raceEnabled && !long() {
		requests, rounds = 80, 2
	}
	dir := t.TempDir()
	s := &soak{shared: map[string]*use{}, opts: map[string][]moe.Option{
		"plain":    {moe.WithThreads(2)},
		"threads":  {moe.WithThreads(3), moe.WithChunk(7)},
		"budget":   {moe.WithThreads(2), moe.WithExpertBudget(1 << 20)},
		"prefetch": {moe.WithThreads(2), moe.WithExpertBudget(1 << 20), moe.WithExpertPrefetch()},
	}, kinds: []string{"plain", "threads", "budget", "prefetch"}}
	for _, family := range []string{"deepseek-v3", "gpt-oss", "qwen3-next", "olmoe", "llama4"} {
		path := filepath.Join(dir, family)
		require.NoError(t, moetest.WriteRandom(path, family, 3))
		s.paths = append(s.paths, path)
	}

	want := make([]string, requests) // alone, one after the other
	for i := range want {
		var err error
		want[i], err = s.do(request{seed: uint64(i)})
		require.NoError(t, err, "request %d", i)
	}

	var before resources
	least := int64(math.MaxInt64)
	var ended, cancelled atomic.Int64
	for round := range rounds {
		var wg sync.WaitGroup
		var next atomic.Int64
		for range 8 {
			wg.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= requests {
						return
					}
					got, err := s.do(request{uint64(i), (i+round)%3 == 0})
					switch {
					case err == nil && got != want[i]:
						t.Errorf("round %d, request %d: other bits than alone: %s, want %s", round, i, got, want[i])
					case err == nil:
						ended.Add(1)
					case errors.Is(err, context.DeadlineExceeded), errors.Is(err, moe.ErrClosed):
						cancelled.Add(1)
					default:
						t.Errorf("round %d, request %d: %v", round, i, err)
					}
				}
			})
		}
		wg.Wait()
		require.Empty(t, s.shared)
		now := measure()
		if round == 0 { // the first one fills pools of the runtime
			before = now
			continue
		}
		now.heap, least = 0, min(least, now.heap)
		now.check(t, before, dir)
	}
	// Stacks, timers and caches of the runtime come and go between rounds; what is
	// left behind adds up.
	resources{heap: least}.check(t, before, dir)
	t.Logf("%d ended, %d cancelled; %v before, %v after", ended.Load(), cancelled.Load(), before, measure())
	if ended.Load() < int64(requests) || cancelled.Load() == 0 {
		t.Errorf("%d requests ended and %d were cancelled: want a mixture", ended.Load(), cancelled.Load())
	}
}

// resources is what a process holds.
type resources struct {
	goroutines, files, maps int
	heap                    int64
}

func (r resources) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %d mappings, heap %d KB", r.goroutines, r.files, r.maps, r.heap>>10)
}

// measure waits for goroutines that are about to end, and for the collector.
func measure() resources {
	var r resources
	for range 100 {
		if n := runtime.NumGoroutine(); n == r.goroutines {
			break
		} else {
			r.goroutines = n
		}
		time.Sleep(5 * time.Millisecond)
	}
	for range 3 { // finalizers and pools take more than one
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r.heap = int64(m.HeapAlloc)
	if d, err := os.ReadDir("/proc/self/fd"); err == nil {
		r.files = len(d)
	}
	if data, err := os.ReadFile("/proc/self/maps"); err == nil {
		for line := range strings.Lines(string(data)) {
			if strings.Contains(line, "safetensors") || strings.Contains(line, ".gguf") {
				r.maps++
			}
		}
	}
	return r
}

// check holds r against what there was before: memory within 1 %, but for 32 KB
// that the runtime and the test itself may take.
func (r resources) check(t *testing.T, before resources, dir string) {
	t.Helper()
	if r.goroutines > before.goroutines || r.files > before.files || r.maps > before.maps {
		t.Errorf("left behind: %v, before %v", r, before)
	}
	if limit := before.heap + max(before.heap/100, 32<<10); r.heap > limit {
		t.Errorf("left behind: %d bytes, %d before", r.heap, before.heap)
	}
	if data, err := os.ReadFile("/proc/self/maps"); err == nil && strings.Contains(string(data), dir) {
		t.Errorf("%s is still mapped", dir)
	}
}

// TestOpenClose: 200 times, each way, leaves nothing.
func TestOpenClose(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, moetest.WriteRandom(dir, "deepseek-v3", 1))
	broken := t.TempDir()
	require.NoError(t, moetest.WriteRandom(broken, "deepseek-v3", 1))
	require.NoError(t, os.Truncate(filepath.Join(broken, "model.safetensors"), 5000))
	ways := map[string]func() error{
		"opened": func() error {
			m, err := moe.Open(dir)
			if err != nil {
				return err
			}
			if _, err := m.Forward(context.Background(), m.NewState(), []int32{1, 2}); err != nil {
				return err
			}
			return m.Close()
		},
		"budget": func() error {
			m, err := moe.Open(dir, moe.WithExpertBudget(1<<20), moe.WithExpertPrefetch())
			if err != nil {
				return err
			}
			if _, err := m.Forward(context.Background(), m.NewState(), []int32{1, 2}); err != nil {
				return err
			}
			return m.Close()
		},
		"GGUF": func() error {
			m, err := moe.Open("moetest/tale.gguf", moe.WithThreads(2))
			if err != nil {
				return err
			}
			return m.Close()
		},
		"bad option": func() error {
			if _, err := moe.Open(dir, moe.WithExpertBudget(1)); !errors.Is(err, moe.ErrOption) {
				return fmt.Errorf("want an error about the budget, found %w", err)
			}
			return nil
		},
		"broken": func() error {
			if _, err := moe.Open(broken); !errors.Is(err, moe.ErrFormat) {
				return fmt.Errorf("want an error about the file, found %w", err)
			}
			return nil
		},
		"never closed by the reader of its config": func() error {
			_, err := moe.ReadConfig(dir)
			return err
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			for range 5 {
				require.NoError(t, way())
			}
			before := measure()
			for range 200 {
				require.NoError(t, way())
			}
			measure().check(t, before, dir)
		})
	}
}
