// Grpo shows the forward half of R1's training recipe on one prompt: a group of
// completions is sampled, rewarded and scored, and the objective that a training
// step would follow is computed. Formulas in grpo.go.
//
//	go run ./examples/grpo -prompt "Once upon a time" -group 8
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"strings"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

type config struct {
	model, policy, reference string
	prompt, word             string
	group, tokens            int
	temperature              float64
	seed                     uint64
	eps, beta                float64
	referenceTopK            int
}

func main() {
	var c config
	flag.StringVar(&c.model, "model", "", "model that samples; the embedded Tale if empty")
	flag.StringVar(&c.policy, "policy", "", "model being trained; the one that samples if empty")
	flag.StringVar(&c.reference, "reference", "", "model to stay near; the one that samples with fewer experts if empty")
	flag.IntVar(&c.referenceTopK, "reference-experts", 2, "experts of that reference")
	flag.StringVar(&c.prompt, "prompt", "Once upon a time", "prompt")
	flag.StringVar(&c.word, "word", "king", "reward: 1 for a completion with this word, 1 more if it ends a sentence")
	flag.IntVar(&c.group, "group", 8, "completions of the prompt, G")
	flag.IntVar(&c.tokens, "n", 48, "tokens of a completion at most")
	flag.Float64Var(&c.temperature, "temperature", 1, "of sampling; log-probabilities are those at 1")
	flag.Uint64Var(&c.seed, "seed", 1, "completion i is sampled with seed+i")
	flag.Float64Var(&c.eps, "eps", 0.2, "clipping range of ratios")
	flag.Float64Var(&c.beta, "beta", 0.04, "weight of the divergence from the reference")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, `Compute GRPO's objective for one prompt.

usage: grpo [-prompt P] [-group G] [-model M] [-policy M] [-reference M]

The prompt is read once; the completions fork from it. Each is scored under the
policy and the reference in one pass.

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, c); err != nil {
		fmt.Fprintln(os.Stderr, "grpo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, c config) error {
	sampler, err := open(c.model)
	if err != nil {
		return err
	}
	defer sampler.Close()
	policy := sampler
	if c.policy != "" {
		if policy, err = open(c.policy); err != nil {
			return err
		}
		defer policy.Close()
	}
	var opts []moe.Option
	path := c.reference
	if path == "" {
		path, opts = c.model, []moe.Option{moe.WithTopK(c.referenceTopK)}
	}
	reference, err := open(path, opts...)
	if err != nil {
		return err
	}
	defer reference.Close()

	prompt, samples, err := sample(ctx, sampler, c)
	if err != nil {
		return err
	}
	rewards := make([]float64, len(samples))
	for i, s := range samples {
		rewards[i] = reward(s.text, c.word)
	}
	group := make([]completion, len(samples))
	low, high := math.Inf(1), math.Inf(-1)
	for i, a := range advantages(rewards) {
		ids := append(append([]int32(nil), prompt...), samples[i].ids...)
		group[i] = completion{advantage: a, old: samples[i].logProbs}
		if group[i].policy, err = score(ctx, policy, ids, len(prompt)); err != nil {
			return err
		}
		if group[i].reference, err = score(ctx, reference, ids, len(prompt)); err != nil {
			return err
		}
		for t, p := range group[i].policy {
			r := ratio(p, group[i].old[t])
			low, high = min(low, r), max(high, r)
		}
		fmt.Fprintf(out, "reward %.0f, advantage %+.3f: %s\n", rewards[i], a, strings.ReplaceAll(samples[i].text, "\n", " / "))
	}
	value, kl := objective(group, c.eps, c.beta)
	fmt.Fprintf(out, "\nratios %.6f to %.6f; divergence from the reference %.4f nats a token (k3)\nobjective %.6f\n", low, high, kl, value)
	return nil
}

func open(path string, opts ...moe.Option) (*moe.Model, error) {
	if path == "" {
		return moetest.Tale(opts...)
	}
	return moe.Open(path, opts...)
}

// reward is rule-based, as R1-Zero's: no model judges.
func reward(text, word string) float64 {
	r := 0.0
	if strings.Contains(text, word) {
		r++
	}
	if t := strings.TrimRight(text, " \n\""); strings.HasSuffix(t, ".") || strings.HasSuffix(t, "!") || strings.HasSuffix(t, "?") {
		r++
	}
	return r
}

type sampled struct {
	ids      []int32
	logProbs []float64
	text     string
}

// sample reads the prompt once and continues a fork of it for each completion.
func sample(ctx context.Context, m *moe.Model, c config) (prompt []int32, list []sampled, err error) {
	tok, err := m.Tokenizer()
	if err != nil {
		return nil, nil, err
	}
	prompt = tok.Encode(c.prompt, true, true)
	if len(prompt) < 2 {
		return nil, nil, fmt.Errorf("the prompt has %d tokens, want two or more", len(prompt))
	}
	// All but the last token: each completion begins by reading that one.
	last := len(prompt) - 1
	s := m.NewState()
	if _, err := m.Forward(ctx, s, prompt[:last]); err != nil {
		return nil, nil, err
	}
	for i := range c.group {
		f, err := s.Fork()
		if err != nil {
			return nil, nil, err
		}
		var x sampled
		o := moe.Sampling{Temperature: float32(c.temperature), Seed: c.seed + uint64(i), MaxTokens: c.tokens}
		for t, err := range m.GenerateTokens(ctx, f, prompt[last:], o) {
			if err != nil {
				return nil, nil, err
			}
			x.ids, x.logProbs = append(x.ids, t.ID), append(x.logProbs, float64(t.LogProb))
			x.text += t.Text
		}
		list = append(list, x)
	}
	return prompt, list, nil
}

// score returns the log-probabilities of ids from position from on.
func score(ctx context.Context, m *moe.Model, ids []int32, from int) ([]float64, error) {
	l, err := m.LogProbs(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]float64, 0, len(ids)-from)
	for _, v := range l[from:] {
		out = append(out, float64(v))
	}
	return out, nil
}
