package moe

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// In steady state a token allocates nothing, alone or in a batch, with each type of
// cache. (A page every 64 tokens and the growth of what is as long as the context
// are less than one in the average, which AllocsPerRun rounds down.)
func TestNoAllocations(t *testing.T) {
	for _, path := range []string{"moetest/tale.gguf", "testdata/golden/gpt-oss-mxfp4"} {
		for _, cache := range cacheTypes {
			m := open(t, path, WithCache(cache), WithThreads(2))
			for _, batch := range []int{1, 4} {
				steps := make([]Step, batch)
				for i := range steps {
					steps[i] = Step{State: m.NewState(), Tokens: somePrompt(m, 200+i, i)}
				}
				ctx := t.Context()
				require.NoError(t, m.ForwardBatch(ctx, steps))
				for i := range steps {
					steps[i].Tokens = steps[i].Tokens[:1]
				}
				forward := func() {
					if err := m.ForwardBatch(ctx, steps); err != nil {
						t.Fatal(err)
					}
				}
				for range 10 {
					forward()
				}
				require.Zero(t, testing.AllocsPerRun(60, forward), "%s, %s, %d sequences", path, cache, batch)
			}
			m.Close()
		}
	}
}
