package moe

import (
	"context"
	"testing"
)

// TestIndexerSpans: positions scored in spans, as for a few tokens and many
// workers, give the bits of positions scored by one worker.
func TestIndexerSpans(t *testing.T) {
	const long = 512 - 4 // the model's context
	ids := make([]int32, long)
	for i := range ids {
		ids[i] = int32(i * 7 % 384)
	}
	var want []float32
	for _, c := range []struct{ threads, chunk int }{{1, long}, {7, 3}, {3, 1}} {
		m, err := Open("testdata/golden/deepseek-v3.2", WithThreads(c.threads), WithChunk(c.chunk))
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.ForwardAll(context.Background(), m.NewState(), ids)
		if err != nil {
			t.Fatal(err)
		}
		m.Close()
		if want == nil {
			want = got
		}
		sameBits(t, "spans", got, want)
	}
}
