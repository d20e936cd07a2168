package moe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/coterie-go/coterie/internal/safetensors"
	"github.com/coterie-go/coterie/moe/tokenizer"
	"github.com/stretchr/testify/require"
)

// talePath is the checkpoint that the embedded model was quantised from.
const talePath = "../../shared/tale"

// tale opens the trained model that package moetest embeds.
func tale(t testing.TB) *Model {
	t.Helper()
	m, err := Open("moetest/tale.gguf", WithThreads(2))
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// generated runs a generation to its end.
func generated(t testing.TB, m *Model, s *State, prompt string, opt Sampling) (text string, toks []Token) {
	t.Helper()
	for tok, err := range m.Generate(context.Background(), s, prompt, opt) {
		if err != nil {
			t.Fatal(err)
		}
		text += tok.Text
		toks = append(toks, tok)
	}
	return text, toks
}

func tokenIDs(toks []Token) []int32 {
	var ids []int32
	for _, tok := range toks {
		ids = append(ids, tok.ID)
	}
	return ids
}

// Greedy decoding of the reference's prompts gives the reference's tokens, where
// its checkpoint lies beside the project.
func TestGenerateGreedy(t *testing.T) {
	if _, err := os.Stat(talePath); err != nil {
		t.Skip("no " + talePath)
	}
	m, err := Open(talePath, WithThreads(2), WithFloatActivations())
	require.NoError(t, err)
	defer m.Close()
	w := readWants(t, talePath+"/golden.safetensors")
	require.Len(t, w, 6)
	for n := range 3 {
		ids, want := w[fmt.Sprintf("%d.input_ids", n)], w[fmt.Sprintf("%d.greedy", n)]
		require.Equal(t, len(ids)+96, len(want))
		var got []int32
		for tok, err := range m.GenerateTokens(context.Background(), m.NewState(), ids, Sampling{MaxTokens: len(want) - len(ids)}) {
			require.NoError(t, err)
			got = append(got, tok.ID)
		}
		require.Equal(t, want[len(ids):], got)
	}
}

// What is streamed is what decoding all tokens at once gives, and the state holds
// all but the last.
func TestGenerateText(t *testing.T) {
	m := tale(t)
	tok, err := m.Tokenizer()
	require.NoError(t, err)
	s := m.NewState()
	text, toks := generated(t, m, s, "Once upon a time", Sampling{Temperature: 1.5, Seed: 3, MaxTokens: 60})
	ids := tok.Encode("Once upon a time", true, true)
	all := append(slices.Clone(ids), tokenIDs(toks)...)
	require.Equal(t, tok.Decode(all, false), "Once upon a time"+text)
	require.Equal(t, len(all)-1, s.Len())

	// Log-probabilities agree with those of the whole text.
	p, err := m.LogProbs(context.Background(), all)
	require.NoError(t, err)
	require.Zero(t, p[0])
	for i, x := range toks {
		require.Equal(t, p[len(ids)+i], x.LogProb, i)
	}
	// Whatever shares the passes through the model.
	batch, err := m.LogProbsBatch(context.Background(), [][]int32{all[:20], nil, all, all[:1]})
	require.NoError(t, err)
	require.Equal(t, [][]float32{p[:20], {}, p, {0}}, batch)
}

func TestGenerateFinish(t *testing.T) {
	m := tale(t)
	s := m.NewState()
	_, toks := generated(t, m, s, "Once upon a time", Sampling{IgnoreEnd: true})
	require.Equal(t, FinishContext, toks[len(toks)-1].Finish)
	require.Equal(t, m.Config().Context, s.Len())
	for _, x := range toks[:len(toks)-1] {
		require.Equal(t, Unfinished, x.Finish)
	}
	_, toks = generated(t, m, m.NewState(), "Once upon a time", Sampling{MaxTokens: 1})
	require.Len(t, toks, 1)
	require.Equal(t, FinishLength, toks[0].Finish)

	stop := toks[0].ID
	text, toks := generated(t, m, m.NewState(), "Once upon a time", Sampling{StopTokens: []int32{stop}})
	require.Equal(t, "", text)
	require.Equal(t, FinishEnd, toks[0].Finish)
}

// Every stop inside a text cuts it exactly there, whatever tokens it falls into,
// and no part of it is shown before.
func TestGenerateStop(t *testing.T) {
	m := tale(t)
	opt := Sampling{Temperature: 1, Seed: 5, MaxTokens: 40}
	full, _ := generated(t, m, m.NewState(), "The king", opt)
	for i := range full {
		for n := 1; n <= 7 && i+n <= len(full); n += 3 {
			opt.Stop = []string{full[i : i+n], "no such text"}
			if !strings.HasPrefix(full[i:], strings.ToValidUTF8(opt.Stop[0], "")) || strings.ToValidUTF8(opt.Stop[0], "") != opt.Stop[0] {
				continue
			}
			out := newTextOut(mustTok(t, m), opt, nil)
			want, got := full[:strings.Index(full, opt.Stop[0])], ""
			stopped := false
			for j := 0; j < len(full) && !stopped; j += 2 { // in pieces of two bytes, as a tokenizer might cut it
				var part string
				part, stopped = out.let(full[j:min(j+2, len(full))])
				got += part
				require.True(t, strings.HasPrefix(want, got), "%q shown, want no more than %q", got, want)
			}
			require.True(t, stopped)
			require.Equal(t, want, got)
		}
	}
	words := strings.Fields(full)
	opt.Stop = []string{words[len(words)/2]}
	text, toks := generated(t, m, m.NewState(), "The king", opt)
	require.Equal(t, full[:strings.Index(full, opt.Stop[0])], text)
	require.Equal(t, FinishStop, toks[len(toks)-1].Finish)

	// What might have become a stop comes out at the end.
	opt.Stop = []string{full[len(full)-3:] + "#"}
	text, toks = generated(t, m, m.NewState(), "The king", opt)
	require.Equal(t, full, text)
	require.Equal(t, FinishLength, toks[len(toks)-1].Finish)
}

func TestGenerateEcho(t *testing.T) {
	m := tale(t)
	opt := Sampling{MaxTokens: 10, TopLogProbs: 3, Special: true}
	plain, want := generated(t, m, m.NewState(), "The old woman", opt)
	opt.Echo = true
	text, got := generated(t, m, m.NewState(), "The old woman", opt)
	require.Equal(t, "<｜begin▁of▁sentence｜>The old woman"+plain, text)
	n := len(got) - len(want)
	require.Equal(t, want, got[n:])
	p, err := m.LogProbs(context.Background(), tokenIDs(got))
	require.NoError(t, err)
	for i, x := range got {
		require.Equal(t, i < n, x.Prompt)
		require.Equal(t, p[i], x.LogProb)
		if i > 0 {
			require.Len(t, x.Top, 3)
			require.True(t, x.Top[0].LogProb >= x.Top[1].LogProb && x.Top[1].LogProb >= x.Top[2].LogProb)
			require.True(t, x.LogProb <= x.Top[0].LogProb)
		}
	}
}

func TestGenerateErrors(t *testing.T) {
	m := tale(t)
	s := m.NewState()
	first := func(opt Sampling, prompt string) error {
		for _, err := range m.Generate(context.Background(), s, prompt, opt) {
			return err
		}
		return nil
	}
	err := first(Sampling{Temperature: -1, TopK: -2, TopP: 2, Bias: map[int32]float32{-1: 0}, Stop: []string{""}, Mirostat: &Mirostat{5, .1}}, "x")
	require.ErrorIs(t, err, ErrOption)
	for _, what := range []string{"temperature", "top-k", "top-p", "bias", "stop", "mirostat"} {
		require.ErrorContains(t, err, what)
	}
	require.ErrorIs(t, first(Sampling{}, strings.Repeat("word ", 2000)), ErrContext)
	failed := errors.New("failed")
	require.ErrorIs(t, first(Sampling{Hook: func([]int32, []float32) error { return failed }}, "x"), failed)
	require.ErrorIs(t, first(Sampling{Hook: func(_ []int32, l []float32) error {
		for i := range l {
			l[i] = float32(math.Inf(-1))
		}
		return nil
	}}, "x"), ErrNoToken)

	for _, ids := range [][]int32{{1, 99999}, {-1, 1}, {1, -1}} {
		for _, opt := range []Sampling{{Echo: true}, {}} {
			for _, err := range m.GenerateTokens(context.Background(), m.NewState(), ids, opt) {
				require.ErrorIs(t, err, ErrToken)
			}
		}
		_, err := m.LogProbs(context.Background(), ids)
		require.ErrorIs(t, err, ErrToken)
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	for _, err = range m.Generate(ctx, m.NewState(), "x", Sampling{IgnoreEnd: true}) {
		if n++; n == 5 {
			cancel()
		}
	}
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 6, n)
}

func mustTok(t testing.TB, m *Model) *tokenizer.Tokenizer {
	tok, err := m.Tokenizer()
	require.NoError(t, err)
	return tok
}

// readWants reads the integer tensors of a file.
func readWants(t *testing.T, path string) map[string][]int32 {
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	w := map[string][]int32{}
	for _, name := range f.Names() {
		if x, _ := f.Tensor(name); strings.HasSuffix(name, ".input_ids") || strings.HasSuffix(name, ".greedy") {
			w[name] = ints(f.Bytes(x))
		}
	}
	return w
}
