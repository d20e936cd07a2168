package moe

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// small opens a small model of the collection in testdata.
func small(t testing.TB, name string, opts ...Option) *Model {
	t.Helper()
	m, err := Open("testdata/golden/"+name, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// somePrompt returns n tokens that depend on seed.
func somePrompt(m *Model, n, seed int) []int32 {
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = r.Int32N(int32(m.cfg.Vocab))
	}
	return ids
}

// Sequences of many lengths, cancelled at random: those that end by themselves
// say what they say alone, the others' states are whole, and nothing is left behind.
func TestScheduler(t *testing.T) {
	m := small(t, "qwen3-moe", WithThreads(2))
	ctx := context.Background()
	before := runtime.NumGoroutine()
	sc := NewScheduler(m, SchedulerOptions{Sequences: 8, Queue: 32, Prompt: 16})
	var wg sync.WaitGroup
	var finished, cancelled atomic.Int32
	for g := range 32 {
		wg.Go(func() {
			for round := range 3 {
				seed := 3*g + round
				r := rand.New(rand.NewPCG(uint64(seed), 2))
				prompt := somePrompt(m, 1+r.IntN(90), seed)
				opt := Sampling{Temperature: 0.8, Seed: uint64(seed) + 1, MaxTokens: 1 + r.IntN(12), IgnoreEnd: true}
				ctx, cancel := context.WithCancel(ctx)
				if stop := r.IntN(3); stop == 0 {
					time.AfterFunc(time.Duration(r.IntN(20))*time.Millisecond, cancel)
				}
				s := m.NewState()
				var got []int32
				var err error
				for tok, e := range sc.GenerateTokens(ctx, s, prompt, opt) {
					if err = e; err == nil {
						got = append(got, tok.ID)
					}
				}
				cancel()
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					cancelled.Add(1)
				} else {
					finished.Add(1)
				}
				alone := m.NewState()
				var want []int32
				for tok, err := range m.GenerateTokens(t.Context(), alone, prompt, opt) {
					if err != nil {
						t.Error(err)
					}
					want = append(want, tok.ID)
				}
				if len(got) > len(want) || err == nil && len(got) < len(want) {
					t.Errorf("%d tokens, want %d", len(got), len(want))
					return
				}
				for i := range got {
					if got[i] != want[i] {
						t.Errorf("token %d: %d, want %d", i, got[i], want[i])
					}
				}
				if _, err := m.Forward(t.Context(), s, prompt[:1]); err != nil {
					t.Errorf("state after a cancellation: %v", err)
				}
			}
		})
	}
	wg.Wait()
	running, waiting := sc.Load()
	require.Zero(t, running)
	require.Zero(t, waiting)
	require.NoError(t, sc.Close())
	t.Logf("%d finished, %d cancelled", finished.Load(), cancelled.Load())
	require.Positive(t, finished.Load())
	_, err := sc.Forward(ctx, m.NewState(), []int32{1})
	require.ErrorIs(t, err, ErrClosed)
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

// The queue is bounded, and those in it leave when their context ends.
func TestSchedulerQueue(t *testing.T) {
	m := small(t, "qwen3-moe")
	sc := NewScheduler(m, SchedulerOptions{Sequences: 1, Queue: 1})
	defer sc.Close()
	for range sc.GenerateTokens(t.Context(), m.NewState(), []int32{1}, Sampling{IgnoreEnd: true}) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := sc.Forward(ctx, m.NewState(), []int32{1})
			done <- err
		}()
		for _, waiting := sc.Load(); waiting == 0; _, waiting = sc.Load() {
			time.Sleep(time.Millisecond)
		}
		_, err := sc.Forward(t.Context(), m.NewState(), []int32{1})
		require.ErrorIs(t, err, ErrBusy)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		break
	}
	_, err := sc.Forward(t.Context(), m.NewState(), []int32{1})
	require.NoError(t, err)
}

// A long prompt does not hold up those that come after it.
func TestSchedulerFair(t *testing.T) {
	m := small(t, "qwen3-moe")
	sc := NewScheduler(m, SchedulerOptions{Prompt: 8})
	defer sc.Close()
	ctx, cancel := context.WithCancel(t.Context())
	long := make(chan error)
	s := m.NewState()
	go func() {
		_, err := sc.Forward(ctx, s, somePrompt(m, m.cfg.Context, 1))
		long <- err
	}()
	for running, _ := sc.Load(); running == 0; running, _ = sc.Load() {
		time.Sleep(time.Millisecond)
	}
	for i := range 5 {
		_, err := sc.Forward(t.Context(), m.NewState(), somePrompt(m, 5, i))
		require.NoError(t, err)
	}
	select {
	case err := <-long:
		t.Fatalf("the long prompt was done first: %v", err)
	default:
	}
	cancel()
	require.ErrorIs(t, <-long, context.Canceled)
	require.Zero(t, s.Len()%4) // whole shares of 8 or 4
}

// What one sequence does wrong does not hurt the others.
func TestSchedulerErrors(t *testing.T) {
	m := small(t, "qwen3-moe")
	sc := NewScheduler(m, SchedulerOptions{})
	defer sc.Close()
	var wg sync.WaitGroup
	shared := m.NewState()
	for i := range 8 {
		wg.Go(func() {
			_, err := sc.Forward(t.Context(), m.NewState(), []int32{int32(m.cfg.Vocab)})
			if !errors.Is(err, ErrToken) {
				t.Error(err)
			}
			if i < 2 { // one state in two sequences: one after the other, or an error
				_, err = sc.Forward(t.Context(), shared, []int32{1, 2})
				if err != nil && !errors.Is(err, ErrState) {
					t.Error(err)
				}
				return
			}
			if _, err = sc.Forward(t.Context(), m.NewState(), []int32{1, 2, 3}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// Close ends calls that run.
func TestSchedulerClose(t *testing.T) {
	m := small(t, "qwen3-moe")
	sc := NewScheduler(m, SchedulerOptions{Sequences: 2})
	var wg sync.WaitGroup
	var begun sync.WaitGroup
	begun.Add(2)
	for i := range 4 {
		wg.Go(func() {
			n := 0
			for _, err := range sc.GenerateTokens(t.Context(), m.NewState(), somePrompt(m, 9, i), Sampling{IgnoreEnd: true}) {
				if err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
				if n++; n == 1 {
					begun.Done()
				}
			}
			t.Error("ended by itself")
		})
	}
	begun.Wait()
	require.NoError(t, sc.Close())
	require.NoError(t, sc.Close())
	wg.Wait()
}
