// Imatrix collects an importance matrix: the mean squares of the activations that
// the columns of a model's weight matrices are multiplied with on a text. Quantising
// with it (examples/quantize -imatrix) loses less of the model.
//
//	go run ./examples/imatrix -model M -text FILE -o imatrix.gguf
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/moe"
)

// job is one run of the program.
type job struct {
	model, text, out string
	chunk, chunks    int
	options          []moe.Option
	progress         func(done, total int64)
}

func main() {
	var j job
	flag.StringVar(&j.model, "model", "", "GGUF file or hub directory, best in 16 bits")
	flag.StringVar(&j.text, "text", "", "file with text of the kinds that the model is for, not the text it is judged by")
	flag.StringVar(&j.out, "o", "imatrix.gguf", "file to write")
	flag.IntVar(&j.chunk, "context", 512, "tokens a chunk")
	flag.IntVar(&j.chunks, "chunks", 0, "how many chunks at most, 0 for all")
	threads := flag.Int("threads", 0, "worker threads, 0 for one each CPU")
	budget := flag.Int64("budget", 0, "bytes of memory for the model's routed experts, 0 for no limit")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, `Collect an importance matrix.

usage: imatrix -model M -text FILE [-o OUT.gguf] [-context N] [-chunks N]

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	if j.model == "" || j.text == "" || j.chunk < 2 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *threads > 0 {
		j.options = append(j.options, moe.WithThreads(*threads))
	}
	if *budget > 0 {
		j.options = append(j.options, moe.WithExpertBudget(*budget))
	}
	bar := cli.NewProgress("collecting")
	j.progress = bar.Set
	imp, err := j.run(ctx)
	bar.Done()
	if err != nil {
		fmt.Fprintln(os.Stderr, "imatrix:", err)
		os.Exit(1)
	}
	report(imp)
}

// run collects the activations of the text's chunks and writes them.
func (j *job) run(ctx context.Context) (*moe.Importance, error) {
	imp := moe.NewImportance()
	m, err := moe.Open(j.model, append(j.options, moe.WithActivationObserver(imp.Observe))...)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	tok, err := m.Tokenizer()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(j.text)
	if err != nil {
		return nil, err
	}
	ids := tok.Encode(string(text), true, false)
	n := len(ids) / j.chunk
	if j.chunks > 0 {
		n = min(n, j.chunks)
	}
	if n == 0 {
		return nil, fmt.Errorf("%s: want at least %d tokens, found %d", j.text, j.chunk, len(ids))
	}
	bos, ok := tok.BOS()
	for c := range n {
		chunk := append([]int32(nil), ids[c*j.chunk:(c+1)*j.chunk]...)
		if ok {
			chunk[0] = bos
		}
		if _, err := m.Forward(ctx, m.NewState(), chunk); err != nil {
			return nil, err
		}
		j.progress(int64(c+1), int64(n))
	}
	from := moe.ImportanceSource{Datasets: []string{filepath.Base(j.text)}, Chunks: n, ChunkSize: j.chunk}
	return imp, cli.WriteFile(j.out, func(w io.Writer) error { return imp.WriteGGUF(w, from) })
}

// report prints how well the experts were covered.
func report(imp *moe.Importance) {
	names := imp.Tensors()
	least, unseen, experts := -1, 0, 0
	for _, name := range names {
		if !strings.HasSuffix(name, "ffn_up_exps.weight") {
			continue
		}
		for e := range imp.Parts(name) {
			n := imp.Count(name, e)
			experts++
			if n == 0 {
				unseen++
			}
			if least < 0 || n < least {
				least = n
			}
		}
	}
	fmt.Printf("%d tensors\n", len(names))
	if experts > 0 {
		fmt.Printf("%d experts, %d of them saw no token, the least busy saw %d\n", experts, unseen, least)
	}
}
