package moe

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Held-out loss of the trained model with keys and values in q8_0 and f16, against
// f32: within 0.1 %. The procedure is that of the reference, on every tenth window,
// all of them with COTERIE_LONG.
func TestCacheLoss(t *testing.T) {
	const dir = "../../shared/tale"
	text, err := os.ReadFile(dir + "/heldout.txt")
	if err != nil {
		t.Skip("no ../../shared/tale")
	}
	step := 10
	if os.Getenv("COTERIE_LONG") != "" {
		step = 1
	}
	var f32 float64
	for _, cache := range cacheTypes {
		m := open(t, dir, WithCache(cache))
		tok, err := m.Tokenizer()
		require.NoError(t, err)
		var ids []int32
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimRight(line, "\n"); line != "" {
				ids = append(ids, tok.Encode(line+"\n", false, false)...)
			}
		}
		bos, _ := tok.BOS()
		var windows [][]int32
		for at := 0; at < len(ids)-384; at += 384 * step {
			windows = append(windows, append([]int32{bos}, ids[at:at+384]...))
		}
		all, err := m.LogProbsBatch(t.Context(), windows)
		require.NoError(t, err)
		loss := 0.0
		for _, p := range all {
			for _, v := range p[1:] {
				loss -= float64(v)
			}
		}
		loss /= float64(384 * len(windows))
		if cache == CacheF32 {
			f32 = loss
		}
		t.Logf("%s: %.5f nats a token over %d windows, %+.4f %%", cache, loss, len(windows), 100*(loss/f32-1))
		require.LessOrEqual(t, math.Abs(loss/f32-1), 1e-3, cache)
		m.Close()
	}
}
