package moe

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A call whose context ends in the middle of a chunk, in whatever layer and part of
// it, leaves no trace: the state goes on from a whole number of chunks.
func TestCancelAnywhere(t *testing.T) {
	for _, name := range []string{"gpt-oss-mxfp4", "deepseek-v3", "qwen3-next"} {
		m := open(t, "testdata/golden/"+name, WithThreads(2), WithChunk(50))
		ids := somePrompt(m, 120, 2)
		whole, err := m.Forward(t.Context(), m.NewState(), ids)
		require.NoError(t, err)
		cancelled := 0
		for n := int64(1); n < 4000; n += 1 + n/4 {
			ctx := &countdown{Context: context.Background()}
			ctx.left.Store(n)
			s := m.NewState()
			_, err := m.Forward(ctx, s, ids)
			if err == nil {
				break
			}
			cancelled++
			require.ErrorIs(t, err, context.Canceled)
			require.Contains(t, []int{0, 50, 100}, s.Len())
			require.True(t, slices.Equal(ids[:s.Len()], s.Tokens()))
			got, err := m.Forward(t.Context(), s, ids[s.Len():])
			require.NoError(t, err)
			sameBits(t, name, got, whole)
		}
		require.Greater(t, cancelled, 10)
	}
}

// countdown is a context that ends after it was asked a number of times.
type countdown struct {
	context.Context
	left atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// What a cancelled call still does is one task for each thread, which takes it far
// less than 100 ms. On a busy machine that may need another try.
func TestCancelSoon(t *testing.T) {
	m := open(t, "moetest/tale.gguf")
	ids := somePrompt(m, 500, 2)
	start := time.Now()
	_, err := m.Forward(t.Context(), m.NewState(), ids)
	require.NoError(t, err)
	took := time.Since(start)
	var late time.Duration
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		var at time.Time
		time.AfterFunc(took/4, func() { at = time.Now(); cancel() })
		if _, err = m.Forward(ctx, m.NewState(), ids); err == nil {
			continue
		}
		require.ErrorIs(t, err, context.Canceled)
		if late = time.Since(at); late < 100*time.Millisecond {
			return
		}
	}
	t.Errorf("cancelled calls return after %v", late)
}
