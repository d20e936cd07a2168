// Generate streams a continuation of a prompt, by default from the model that the
// library embeds:
//
//	go run ./examples/generate
//	go run ./examples/generate -model model.gguf -prompt "The capital of France is" -n 64
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

func main() {
	path := flag.String("model", "", "GGUF file (the first of a split one) or hub directory; the embedded Tale if empty")
	prompt := flag.String("prompt", "Once upon a time", "text to continue")
	n := flag.Int("n", 200, "tokens to generate at most")
	temperature := flag.Float64("temperature", 0.7, "0 takes the most likely token each time")
	topP := flag.Float64("top-p", 0.95, "choose among the most likely tokens that together reach this probability")
	seed := flag.Uint64("seed", 1, "the same seed gives the same text on every machine")
	options := cli.ModelFlags()
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, `Stream a continuation of a prompt.

usage: generate [-model M] [-prompt P] [-n N] [-temperature T] [-seed S]

Without -model a small model of fairy tales speaks that comes with the library.

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	sampling := moe.Sampling{Temperature: float32(*temperature), TopP: float32(*topP), Seed: *seed, MaxTokens: *n}
	if err := run(ctx, os.Stdout, *path, *prompt, sampling, options()); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, path, prompt string, sampling moe.Sampling, opts []moe.Option) error {
	m, err := open(path, opts)
	if err != nil {
		return err
	}
	defer m.Close()
	tok, err := m.Tokenizer()
	if err != nil {
		return err
	}
	promptTokens := len(tok.Encode(prompt, true, true))

	fmt.Fprint(out, prompt)
	start := time.Now()
	var first time.Duration // until the first token: the prompt's share
	tokens := 0
	for t, err := range m.Generate(ctx, m.NewState(), prompt, sampling) {
		if errors.Is(err, context.Canceled) {
			break
		}
		if err != nil {
			return err
		}
		if tokens++; tokens == 1 {
			first = time.Since(start)
		}
		fmt.Fprint(out, t.Text)
	}
	rest := time.Since(start) - first
	cfg := m.Config()
	total, active := cfg.Parameters()
	fmt.Fprintf(out, "\n\nprompt %d tokens, %.0f a second; generated %d, %.0f a second; %s of %s parameters active (%.1f %%)\n",
		promptTokens, float64(promptTokens)/first.Seconds(), tokens, float64(max(tokens-1, 0))/max(rest.Seconds(), 1e-9),
		cli.Count(active), cli.Count(total), 100*float64(active)/float64(total))
	return nil
}

func open(path string, opts []moe.Option) (*moe.Model, error) {
	if path == "" {
		return moetest.Tale(opts...)
	}
	return moe.Open(path, opts...)
}
