package moe

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Past the context a state goes on as a new one with the tokens that stay would,
// however the text is cut into calls and chunks.
func TestSliding(t *testing.T) {
	const keep = 5
	for _, name := range []string{"gpt-oss-mxfp4", "deepseek-v3", "qwen3-next"} {
		plain := open(t, "testdata/golden/"+name)
		context := plain.cfg.Context
		half := (context - keep) / 2
		ids := somePrompt(plain, context+half+40, 4)

		_, err := plain.Forward(t.Context(), plain.NewState(), ids)
		require.ErrorIs(t, err, ErrContext)

		// Full after context tokens; then keep + half stay, and context - keep - half
		// more fit.
		s := plain.NewState()
		stay := append(append([]int32(nil), ids[:keep]...), ids[context-half:context]...)
		want, err := plain.Forward(t.Context(), s, append(stay, ids[context:context+30]...))
		require.NoError(t, err)
		want = append([]float32(nil), want...)

		for _, chunk := range []int{512, 33} {
			m := open(t, "testdata/golden/"+name, WithSliding(keep), WithChunk(chunk))
			for _, cuts := range [][]int{{0, context + 30}, {0, context, context + 30}, {0, 100, context + 1, context + 29, context + 30}} {
				s, other := m.NewState(), m.NewState()
				var got []float32
				for i := range cuts[1:] {
					steps := []Step{{State: other, Tokens: ids[:1]}, {State: s, Tokens: ids[cuts[i]:cuts[i+1]]}, {State: m.NewState(), Tokens: ids[:3]}}
					require.NoError(t, m.ForwardBatch(t.Context(), steps))
					got = steps[1].Logits
				}
				sameBits(t, name, got, want)
				require.Equal(t, keep+half+30, s.Len())
				require.Equal(t, len(cuts)-1, other.Len())
			}
			n := 0
			for tok, err := range m.GenerateTokens(t.Context(), m.NewState(), ids[:context-3], Sampling{MaxTokens: 20, IgnoreEnd: true}) {
				require.NoError(t, err)
				if n++; tok.Finish != Unfinished {
					require.Equal(t, FinishLength, tok.Finish)
				}
			}
			require.Equal(t, 20, n)

			// A call that is cancelled while it slides leaves the state full.
			full := m.NewState()
			_, err := m.Forward(t.Context(), full, ids[:context])
			require.NoError(t, err)
			ctx := &countdown{Context: t.Context()}
			ctx.left.Store(20)
			_, err = m.Forward(ctx, full, ids[context:context+30])
			require.Error(t, err)
			require.Equal(t, context, full.Len())
			got, err := m.Forward(t.Context(), full, ids[context:context+30])
			require.NoError(t, err)
			sameBits(t, name, got, want)
		}
	}
	m := open(t, "testdata/golden/llama", WithSliding(1000))
	_, err := m.Forward(t.Context(), m.NewState(), somePrompt(m, 600, 1))
	require.ErrorIs(t, err, ErrContext)
	_, err = Open("testdata/golden/llama", WithSliding(-1))
	require.ErrorIs(t, err, ErrOption)
}
