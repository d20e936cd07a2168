package moe

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// nth is a context that ends when it is asked for the n-th time.
type nth struct {
	context.Context
	mu    sync.Mutex
	left  int
	ended chan struct{}
}

func newNth(n int) *nth {
	return &nth{Context: context.Background(), left: n, ended: make(chan struct{})}
}

// ask counts, and reports whether the context has ended.
func (c *nth) ask() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		close(c.ended)
	}
	return c.left <= 0
}

func (c *nth) Done() <-chan struct{} {
	c.ask()
	return c.ended
}

func (c *nth) Err() error {
	if c.ask() {
		return context.Canceled
	}
	return nil
}

func (c *nth) asked(n int) int { return n - c.left }

// TestCancelEach ends a call's context at each place in turn where the call looks at
// it: between chunks, layers and loops, within each loop, while it waits for experts.
// A call without an error gives the bits of one alone, whenever its context ended; one
// with an error leaves the states, byte for byte as they are saved, of whole chunks;
// and what goes on from there, with the scratch memory that the ended call left half
// written, gives the bits of one alone, and the same states.
func TestCancelEach(t *testing.T) {
	const before, more, side = 61, 7, 2 // over the end of a page
	for _, c := range []struct {
		name string
		opts func(path string) []Option
	}{
		{"one thread", func(string) []Option { return []Option{WithThreads(1)} }},
		{"three threads", func(string) []Option { return []Option{WithThreads(3)} }},
		{"budget", func(path string) []Option { return []Option{WithThreads(1), WithExpertBudget(tight(t, path))} }},
	} {
		for _, family := range []string{"deepseek-v3", "deepseek-v3.2", "gpt-oss-mxfp4", "qwen3-next"} {
			t.Run(family+", "+c.name, func(t *testing.T) {
				path := "testdata/golden/" + family
				m := open(t, path, append(c.opts(path), WithChunk(3))...)
				ids := somePrompt(m, before+more, 4)
				base := m.NewState()
				_, err := m.Forward(t.Context(), base, ids[:before])
				require.NoError(t, err)
				want := map[int][]byte{before: saveBytes(t, base)} // by length
				var logits [][]float32                             // of each token after before
				alone, err := base.Fork()
				require.NoError(t, err)
				for i := before; i < before+more; i++ {
					x, err := m.Forward(t.Context(), alone, ids[i:i+1])
					require.NoError(t, err)
					logits = append(logits, slices.Clone(x))
					want[i+1] = saveBytes(t, alone)
				}
				places, ended := 0, 0
				step := 1
				if testing.Short() {
					step = 29
				}
				for n := 1; ; n += step {
					ctx := newNth(n)
					var states [2]*State
					for i := range states {
						states[i], err = base.Fork()
						require.NoError(t, err)
					}
					// one of them through several chunks, the other together with its end
					steps := []Step{{State: states[0], Tokens: ids[before:]}, {State: states[1], Tokens: ids[before : before+side], All: true}}
					err := m.ForwardBatch(ctx, steps)
					for i, s := range states {
						require.True(t, bytes.Equal(want[s.Len()], saveBytes(t, s)), "place %d: state %d of %d tokens is another", n, i, s.Len())
					}
					if err == nil {
						sameBits(t, fmt.Sprintf("place %d", n), steps[0].Logits, logits[more-1])
						sameBits(t, fmt.Sprintf("place %d, side", n), steps[1].Logits, slices.Concat(logits[:side]...))
					} else {
						require.ErrorIs(t, err, context.Canceled)
						require.Less(t, states[1].Len(), before+side, "place %d: an error, and everything processed", n)
						ended++
						for i, s := range states {
							end := before + []int{more, side}[i]
							if s.Len() == end {
								continue
							}
							x, err := m.Forward(t.Context(), s, ids[s.Len():end])
							require.NoError(t, err)
							sameBits(t, fmt.Sprintf("after place %d, state %d", n, i), x, logits[end-before-1])
							require.True(t, bytes.Equal(want[end], saveBytes(t, s)), "after place %d: state %d is another", n, i)
						}
					}
					if places = ctx.asked(n); ctx.left > 0 || t.Failed() {
						break
					}
				}
				t.Logf("%d places, %d calls ended", places, ended)
				require.Greater(t, ended*step, 100)
			})
		}
	}
}

// TestCancelEachGenerate does the same with generated text: the tokens before the
// error are those of a text that is not cancelled, and the state goes on from what it
// has read as a fresh one does.
func TestCancelEachGenerate(t *testing.T) {
	m := open(t, "moetest/tale.gguf", WithThreads(2), WithChunk(4))
	const prompt, most = "Once upon a time", 4
	generate := func(ctx context.Context, s *State, opt Sampling) (ids []int32, err error) {
		for tok, err := range m.Generate(ctx, s, prompt, opt) {
			if err != nil {
				return ids, err
			}
			ids = append(ids, tok.ID)
		}
		return ids, nil
	}
	for _, opt := range []Sampling{{MaxTokens: most}, {MaxTokens: most, Temperature: 1, Seed: 7}} {
		want, err := generate(t.Context(), m.NewState(), opt)
		require.NoError(t, err)
		step := 5 // the places between are TestCancelEach's
		if testing.Short() {
			step = 41
		}
		for n := 1; ; n += step {
			ctx, s := newNth(n), m.NewState()
			got, err := generate(ctx, s, opt)
			require.True(t, len(got) <= len(want) && slices.Equal(got, want[:len(got)]), "place %d: %v, want %v", n, got, want)
			if err == nil {
				require.Equal(t, want, got, "place %d: no error", n)
			} else {
				require.ErrorIs(t, err, context.Canceled)
			}
			if err != nil && s.Len() > 0 && len(got) < most { // the tokens that s has read go on as they would have
				again, fresh := slices.Clone(s.Tokens()), m.NewState()
				x, err := m.Forward(t.Context(), fresh, again)
				require.NoError(t, err)
				x = slices.Clone(x)
				require.NoError(t, s.Truncate(s.Len()-1))
				y, err := m.Forward(t.Context(), s, again[len(again)-1:])
				require.NoError(t, err)
				sameBits(t, fmt.Sprintf("after place %d", n), y, x)
			}
			if ctx.left > 0 {
				break
			}
		}
	}
}

func saveBytes(t *testing.T, s *State) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, s.Save(&b))
	return b.Bytes()
}
