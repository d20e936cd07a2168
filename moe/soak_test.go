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

// soak is a set of models under mixed requests. Of each kind and path one is open
// from the beginning to the end, and another whenever a request uses it, unless one
// closes it before.
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
func (s *soak) model(kind int, path string, lasting bool) (*moe.Model, error, func(closeNow bool)) {
	key := fmt.Sprint(s.kinds[kind], path, lasting)
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
	careless := r.cancel && r.seed%4 == 0 && fate.IntN(10) == 0 // closes the model, whoever uses it
	m, err, done := s.model(kind, path, r.seed%4 != 0)
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
// their model half-way. Whatever ends gives the bits of a run alone, and after each
// round, with the same models open, there are no more goroutines, files and mappings
// than before, and no more than 1 % more memory.
func TestSoak(t *testing.T) {
	requests, rounds := 100, 3
	if long() {
		requests, rounds = 2000, 4
	}
	if raceEnabled {
		if rounds = 1; !long() {
			requests, rounds = 80, 2
		}
	}
	dir := t.TempDir()
	start := measure()
	s := &soak{shared: map[string]*use{}, opts: map[string][]moe.Option{
		"plain":    {moe.WithThreads(2)},
		"threads":  {moe.WithThreads(3), moe.WithChunk(7)},
		"budget":   {moe.WithThreads(2), moe.WithExpertBudget(1 << 20)},
		"prefetch": {moe.WithThreads(2), moe.WithExpertBudget(1 << 20), moe.WithExpertPrefetch()},
	}, kinds: []string{"plain", "threads", "budget", "prefetch"}}
	families := []string{"deepseek-v3", "gpt-oss", "qwen3-next", "olmoe", "llama4"}
	if raceEnabled && !long() {
		families = families[:3]
	}
	for _, family := range families {
		path := filepath.Join(dir, family)
		require.NoError(t, moetest.WriteRandom(path, family, 3))
		s.paths = append(s.paths, path)
	}

	var lasting []func(closeNow bool)
	for _, path := range s.paths {
		for kind, name := range s.kinds {
			m, err, done := s.model(kind, path, true)
			require.NoError(t, err)
			lasting = append(lasting, done)
			calls := 8
			if name == "budget" || name == "prefetch" {
				calls = 1 // they take turns
			}
			fillScratch(t, m, calls)
		}
	}

	want := make([]string, requests) // alone, one after the other
	for i := range want {
		var err error
		want[i], err = s.do(request{seed: uint64(i)})
		require.NoError(t, err, "request %d", i)
	}

	before := measure()
	t.Logf("before: %v", before)
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
		require.Len(t, s.shared, len(lasting))
		now := measure()
		for i := 0; now.goroutines > before.goroutines && i < 200; i++ {
			time.Sleep(50 * time.Millisecond) // what ends by itself may wait for a busy machine
			now = measure()
		}
		t.Logf("round %d: %v", round, now)
		now.check(t, before, 0)
	}
	for _, done := range lasting {
		done(false)
	}
	require.Empty(t, s.shared)
	now := measure()
	require.Equal(t, start.maps, now.maps)
	require.Equal(t, start.files, now.files)
	require.LessOrEqual(t, now.goroutines, start.goroutines)
	t.Logf("closed: %v; %d requests ended, %d cancelled", now, ended.Load(), cancelled.Load())
	if ended.Load() < int64(requests*rounds/2) || cancelled.Load() == 0 {
		t.Errorf("%d requests ended and %d were cancelled: want a mixture", ended.Load(), cancelled.Load())
	}
}

// fillScratch makes a model hold as much scratch memory as calls at once with the
// largest of the requests can make it hold.
func fillScratch(t *testing.T, m *moe.Model, calls int) {
	var all sync.WaitGroup
	var meeting sync.WaitGroup
	meeting.Add(calls)
	for range calls {
		all.Go(func() {
			ctx := &meetingPoint{Context: context.Background(), all: &meeting}
			steps := []moe.Step{{State: m.NewState(), Tokens: make([]int32, 80), All: true}}
			for range 6 {
				steps = append(steps, moe.Step{State: m.NewState(), Tokens: make([]int32, 16), All: true})
			}
			if err := m.ForwardBatch(ctx, steps); err != nil {
				t.Error(err)
			}
			for range 2 {
				for i := range steps {
					steps[i].Tokens, steps[i].All = []int32{1}, false
				}
				if err := m.ForwardBatch(context.Background(), steps); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// meetingPoint is a context that, when it is asked first, waits until the others
// are asked as well: then each call has scratch memory of its own.
type meetingPoint struct {
	context.Context
	all  *sync.WaitGroup
	once sync.Once
}

func (c *meetingPoint) Err() error {
	c.once.Do(func() {
		c.all.Done()
		c.all.Wait()
	})
	return nil
}

// resources is what a process holds.
type resources struct {
	goroutines, files int
	maps              int   // of weights
	heap              int64 // Go's, in use
	anonymous         int64 // writable mappings of no file
}

func (r resources) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %d mappings, heap %d KB, other %d KB", r.goroutines, r.files, r.maps, r.heap>>10, r.anonymous>>10)
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
			var from, to int64
			var mode string
			if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); n == 3 && mode == "rw-p" && len(strings.Fields(line)) == 5 && from>>32 != 0xc0 {
				r.anonymous += to - from
			}
		}
	}
	return r
}

// check holds r against what there was before: Go's memory in use within 1 %, but
// for some bytes. Memory outside of Go's heap is counted with what the runtime maps
// for itself, so that only hundreds of forgotten buffers show, not one.
func (r resources) check(t *testing.T, before resources, slack int64) {
	t.Helper()
	if r.goroutines > before.goroutines || r.files > before.files || r.maps > before.maps || r.anonymous > before.anonymous+64<<20 {
		t.Errorf("left behind: %v, before %v", r, before)
	}
	if limit := before.heap + max(before.heap/100, slack); r.heap > limit {
		t.Errorf("left behind: %d bytes, %d before", r.heap, before.heap)
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
			measure().check(t, before, 32<<10) // of 400 KB
		})
	}
}
