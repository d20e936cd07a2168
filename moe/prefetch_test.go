package moe

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAheadDecides: what is faster stays, and is tried again after a while.
func TestAheadDecides(t *testing.T) {
	for _, c := range []struct {
		without, with time.Duration
		want          bool
	}{{10, 5, true}, {10, 15, false}, {100, 99, false}} {
		a := new(ahead)
		steps := func(n int) (on int) {
			for range n {
				use := a.using()
				d := c.without
				if use {
					d = c.with
					on++
				}
				a.took(d*time.Millisecond, use)
			}
			return on
		}
		require.Equal(t, trialSteps, steps(2*trialSteps), "half of the trial's steps read ahead")
		require.Equal(t, c.want, a.using(), "%+v", c)
		want := 0
		if c.want {
			want = settledRuns
		}
		require.Equal(t, want, steps(settledRuns))
		require.Zero(t, steps(trialSteps), "the next trial begins without")
		require.Equal(t, trialSteps, steps(trialSteps))
		require.Equal(t, c.want, a.using())
	}
}

// TestReadAhead: routers applied a layer early name experts that are then asked
// for, and nothing changes but what is in memory.
func TestReadAhead(t *testing.T) {
	ctx := context.Background()
	tokens := func(m *Model, on bool) (all []float32) {
		if on {
			m.budget.ahead.on, m.budget.ahead.trial = true, 2
		}
		s := m.NewState()
		for i := range int32(60) {
			logits, err := m.Forward(ctx, s, []int32{5 + i*37%2000})
			require.NoError(t, err)
			all = append(all, logits...)
		}
		return all
	}
	open := func() *Model {
		m, err := Open(smallModel, WithExpertBudget(2*leastBudget(t, smallModel)), WithExpertPrefetch())
		require.NoError(t, err)
		t.Cleanup(func() { m.Close() })
		return m
	}
	m := open()
	sameBits(t, "read ahead", tokens(m, true), tokens(open(), false))
	x := m.ExpertMetrics()
	t.Logf("%d experts read ahead, %d of them asked for, %d displaced before", x.Prefetched, x.Useful, x.Wasted)
	require.Positive(t, x.Useful)
	// A guess without knowledge is right for 4 of 16.
	require.Greater(t, float64(x.Useful), 0.4*float64(x.Useful+x.Wasted))
}
