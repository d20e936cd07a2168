// Perplexity measures how well a model predicts a text, by the procedure of
// llama.cpp's tool of that name, so that figures can be compared.
//
//	go run ./examples/perplexity -model M -text FILE -context 512
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"time"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

func main() {
	path := flag.String("model", "", "GGUF file or hub directory; the embedded Tale if empty")
	text := flag.String("text", "", "file with the text")
	window := flag.Int("context", 512, "tokens a chunk")
	threads := flag.Int("threads", 0, "worker threads, 0 for one each CPU")
	exact := flag.Bool("float", false, "activations in float32 (slow, the dequantised weights' own numbers)")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, `Perplexity of a text under a model.

usage: perplexity [-model M] -text FILE [-context N]

The text is tokenised once and cut into chunks of N tokens; the first token of
each is replaced by the begin token, and those after its first half are scored.

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	if *text == "" || *window < 4 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var opts []moe.Option
	if *threads > 0 {
		opts = append(opts, moe.WithThreads(*threads))
	}
	if *exact {
		opts = append(opts, moe.WithFloatActivations())
	}
	if err := run(ctx, *path, *text, *window, opts); err != nil {
		fmt.Fprintln(os.Stderr, "perplexity:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, path, text string, window int, opts []moe.Option) error {
	m, err := open(path, opts)
	if err != nil {
		return err
	}
	defer m.Close()
	data, err := os.ReadFile(text)
	if err != nil {
		return err
	}
	tok, err := m.Tokenizer()
	if err != nil {
		return err
	}
	ids := tok.Encode(string(data), true, false)
	if len(ids) < window {
		return fmt.Errorf("%s: want at least %d tokens, found %d", text, window, len(ids))
	}
	start := time.Now()
	bar := cli.NewProgress("scoring")
	r, err := perplexity(ctx, m, ids, window, bar.Set)
	bar.Done()
	if err != nil {
		return err
	}
	fmt.Printf("%d chunks of %d tokens, %d scored, %.1f tokens a second\n", r.chunks, window, r.scored, float64(r.chunks*window)/time.Since(start).Seconds())
	fmt.Printf("mean loss %.5f +- %.5f nats a token\n", r.loss, r.spread)
	fmt.Printf("perplexity %.4f\n", math.Exp(r.loss))
	return nil
}

// result is how well a text was predicted: the mean loss in nats a token, and the
// standard deviation of that mean.
type result struct {
	chunks, scored int
	loss, spread   float64
}

// perplexity scores whole chunks of window tokens.
func perplexity(ctx context.Context, m *moe.Model, ids []int32, window int, progress func(done, total int64)) (r result, err error) {
	tok, err := m.Tokenizer()
	if err != nil {
		return r, err
	}
	bos, ok := tok.BOS()
	r.chunks = len(ids) / window
	var nll, squares float64
	for c := range r.chunks {
		chunk := append([]int32(nil), ids[c*window:(c+1)*window]...)
		if ok {
			chunk[0] = bos
		}
		scores, err := score(ctx, m, chunk, window/2)
		if err != nil {
			return r, err
		}
		for _, s := range scores {
			nll += s
			squares += s * s
			r.scored++
		}
		progress(int64(c+1), int64(r.chunks))
	}
	r.loss = nll / float64(r.scored)
	r.spread = math.Sqrt(max(squares/float64(r.scored)-r.loss*r.loss, 0) / float64(max(r.scored-1, 1)))
	return r, nil
}

func open(path string, opts []moe.Option) (*moe.Model, error) {
	if path == "" {
		return moetest.Tale(opts...)
	}
	return moe.Open(path, opts...)
}

// score returns the losses of the tokens after the first half: the logits at
// positions half to len-2 are held against the tokens at half+1 to len-1.
func score(ctx context.Context, m *moe.Model, ids []int32, half int) ([]float64, error) {
	s := m.NewState()
	if _, err := m.Forward(ctx, s, ids[:half]); err != nil {
		return nil, err
	}
	logits, err := m.ForwardAll(ctx, s, ids[half:len(ids)-1])
	if err != nil {
		return nil, err
	}
	v := m.Config().Vocab
	var losses []float64
	for i, next := range ids[half+1:] {
		l := loss(logits[i*v:(i+1)*v], next)
		if math.IsNaN(l) {
			return nil, errors.New("a loss is not a number")
		}
		losses = append(losses, l)
	}
	return losses, nil
}

// loss is -log softmax(logits)[id].
func loss(logits []float32, id int32) float64 {
	top := math.Inf(-1)
	for _, x := range logits {
		top = max(top, float64(x))
	}
	var sum float64
	for _, x := range logits {
		sum += math.Exp(float64(x) - top)
	}
	return math.Log(sum) + top - float64(logits[id])
}
