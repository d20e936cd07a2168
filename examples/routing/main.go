// Routing shows which experts a text is sent to: a heat map of layers and experts
// (PNG), and a page that shows it token by token (HTML, self-contained).
//
//	go run ./examples/routing -out routing        writes routing.png and routing.html
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
	"github.com/coterie-go/coterie/router"
)

// tale.txt is from H. C. Andersen's and others' tales in public-domain
// translations, none of it in the embedded model's training text.
//
//go:embed tale.txt
var tale string

func main() {
	path := flag.String("model", "", "GGUF file or hub directory; the embedded Tale if empty")
	text := flag.String("text", "", "file with the text; a piece of a fairy tale if empty")
	out := flag.String("out", "routing", "what the two files are called, without .png and .html")
	limit := flag.Int("tokens", 2000, "tokens of the text to use at most")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, `Show which experts a text is sent to.

usage: routing [-model M] [-text FILE] [-out NAME]

Prints how evenly each layer uses its experts, and whether dialogue and narration
go to different ones. Writes NAME.png, a heat map (a row a layer, a column an
expert, brighter for more of the tokens), and NAME.html, the same with numbers and
the experts of every token.

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *path, *text, *out, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "routing:", err)
		os.Exit(1)
	}
}

// trace is what the observer saw.
type trace struct {
	tokens  []string
	layers  []int             // numbers of the layers with routing
	experts int               // in each
	choice  map[int][][]gated // layer, token
}

type gated struct {
	id     int32
	weight float32
}

func run(ctx context.Context, w io.Writer, path, textPath, out string, limit int) error {
	text := tale
	if textPath != "" {
		data, err := os.ReadFile(textPath)
		if err != nil {
			return err
		}
		text = string(data)
	}
	tr, err := record(ctx, path, text, limit)
	if err != nil {
		return err
	}
	report(w, tr)
	if err := cli.WriteFile(out+".png", func(w io.Writer) error { return heatMap(w, tr) }); err != nil {
		return err
	}
	if err := cli.WriteFile(out+".html", func(w io.Writer) error { return page(w, tr) }); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nwrote %s.png and %s.html\n", out, out)
	return nil
}

// record sends the text through the model, a window at a time where it is longer
// than the model's context, and keeps every choice.
func record(ctx context.Context, path, text string, limit int) (*trace, error) {
	tr := &trace{choice: map[int][][]gated{}}
	observe := moe.WithRouteObserver(func(layer, _ int, ids []int32, weights []float32) {
		var c []gated
		for i, id := range ids {
			c = append(c, gated{id, weights[i]})
		}
		tr.choice[layer] = append(tr.choice[layer], c)
	})
	open := func() (*moe.Model, error) { return moetest.Tale(observe) }
	if path != "" {
		open = func() (*moe.Model, error) { return moe.Open(path, observe) }
	}
	m, err := open()
	if err != nil {
		return nil, err
	}
	defer m.Close()
	cfg := m.Config()
	tr.experts = cfg.Router.Experts
	for i, l := range cfg.Layers {
		if !l.Dense {
			tr.layers = append(tr.layers, i)
		}
	}
	if len(tr.layers) == 0 {
		return nil, fmt.Errorf("%s has no experts to choose from", cfg.Family)
	}
	tok, err := m.Tokenizer()
	if err != nil {
		return nil, err
	}
	ids := tok.Encode(text, true, false)
	ids = ids[:min(len(ids), limit)]
	for _, id := range ids {
		tr.tokens = append(tr.tokens, tok.Decode([]int32{id}, true))
	}
	window := min(cfg.Context, 512)
	for at := 0; at < len(ids); at += window {
		if _, err := m.Forward(ctx, m.NewState(), ids[at:min(at+window, len(ids))]); err != nil {
			return nil, err
		}
	}
	return tr, nil
}

// stats counts one layer's choices over the tokens that keep accepts.
func (tr *trace) stats(layer int, keep func(token int) bool) *router.Stats {
	s := router.NewStats(tr.experts)
	var ids []int32
	var weights []float32
	for t, c := range tr.choice[layer] {
		if !keep(t) {
			continue
		}
		ids, weights = ids[:0], weights[:0]
		for _, g := range c {
			ids, weights = append(ids, g.id), append(weights, g.weight)
		}
		s.Add(ids, weights)
	}
	return s
}

func all(int) bool { return true }

// report prints a line a layer: how evenly experts are used, and how much dialogue
// differs from narration.
func report(w io.Writer, tr *trace) {
	spoken := dialogue(tr.tokens)
	n := 0
	for _, s := range spoken {
		if s {
			n++
		}
	}
	fmt.Fprintf(w, "%d tokens, %d of them in quotation marks\n\n", len(tr.tokens), n)
	fmt.Fprintln(w, "layer  entropy  of most  busiest/mean   dialogue~narration  shuffled")
	for _, l := range tr.layers {
		s := tr.stats(l, all)
		d := tr.distance(l, spoken)
		fmt.Fprintf(w, "%5d  %7.2f  %5.0f %%  %12.2f  %18.3f  %.3f\n", l, s.Entropy(), 100*s.Entropy()/math.Log(float64(tr.experts)), s.Balance(), d, tr.shuffled(l, spoken))
	}
	fmt.Fprint(w, `
entropy: of the experts' shares, in nats; dialogue~narration: half the sum of the
differences between the experts' shares inside and outside quotation marks (0: the
same, 1: none in common); shuffled: the largest such distance in 99 random cuts of
the same text into stretches as long, so a larger distance is not chance (p = 0.01).
`)
}

// dialogue marks the tokens between quotation marks.
func dialogue(tokens []string) []bool {
	in := false
	out := make([]bool, len(tokens))
	for i, t := range tokens {
		out[i] = in
		for _, r := range t {
			switch r {
			case '"':
				in = !in
				out[i] = true
			case '“':
				in, out[i] = true, true
			case '”':
				in = false
			case '\n':
				in = false
			}
		}
	}
	return out
}

// distance is the total variation distance between the experts' shares in the
// marked tokens and in the others.
func (tr *trace) distance(layer int, marked []bool) float64 {
	a := tr.stats(layer, func(t int) bool { return marked[t] })
	b := tr.stats(layer, func(t int) bool { return !marked[t] })
	d := 0.0
	for e := range tr.experts {
		d += math.Abs(a.Share(e)-b.Share(e)) / 2
	}
	return d
}

// shuffled is the largest distance for 99 rotations of the marks: stretches keep
// their lengths but lose their place.
func (tr *trace) shuffled(layer int, marked []bool) float64 {
	rng := rand.New(rand.NewPCG(1, 1))
	n := len(marked)
	turned := make([]bool, n)
	worst := 0.0
	for range 99 {
		by := rng.IntN(n)
		for i := range turned {
			turned[i] = marked[(i+by)%n]
		}
		worst = max(worst, tr.distance(layer, turned))
	}
	return worst
}
