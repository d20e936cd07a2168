// Quantize turns a hub checkpoint or a GGUF file into a smaller GGUF file. Which
// tensor gets which type is as llama.cpp's users know it from the names of the mixes.
//
//	go run ./examples/quantize -imatrix IMP.gguf DIR OUT.gguf q4_k_m
//	go run ./examples/quantize -experts q3_k -dense q6_k IN.gguf OUT.gguf
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/quant"
)

// job is one run of the program.
type job struct {
	in, out        string
	typ            string
	experts, dense string
	imatrix        string
	threads        int
	progress       func(done, total int64)
}

func main() {
	var j job
	flag.StringVar(&j.imatrix, "imatrix", "", "importance matrix, written by examples/imatrix or llama.cpp")
	flag.StringVar(&j.experts, "experts", "", "type of routed experts, if not TYPE")
	flag.StringVar(&j.dense, "dense", "", "type of all other matrices, if not TYPE")
	flag.IntVar(&j.threads, "threads", 0, "threads, 0 for one each CPU")
	flag.Usage = func() {
		fmt.Fprintf(os.Stderr, `Quantise a checkpoint.

usage: quantize [-imatrix FILE] [-experts TYPE] [-dense TYPE] IN OUT.gguf [TYPE]

IN is a hub directory or a GGUF file. TYPE is a mix of types, which gives more bits
to the tensors that need them: %s;
or a type with "pure:" before it, which gives all matrices the same. Routers, norms
and biases stay float32. OUT appears when it is complete.

`, strings.Join(quant.Mixes(), " "))
		flag.PrintDefaults()
	}
	flag.Parse()
	j.in, j.out, j.typ = flag.Arg(0), flag.Arg(1), flag.Arg(2)
	if n := flag.NArg(); n != 3 && !(n == 2 && j.experts != "" && j.dense != "") {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	bar := cli.NewProgress("quantising")
	j.progress = bar.Set
	err := j.run(ctx)
	bar.Done()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quantize:", err)
		os.Exit(1)
	}
	before, after := size(j.in), size(j.out)
	fmt.Printf("%s: %s, was %s\n", j.out, cli.Bytes(after), cli.Bytes(before))
}

func (j *job) run(ctx context.Context) error {
	return cli.WriteFile(j.out, func(w io.Writer) error { return j.write(ctx, w) })
}

// write quantises to dst.
func (j *job) write(ctx context.Context, dst io.Writer) (err error) {
	e := moe.Export{Progress: j.progress, Threads: j.threads}
	if j.imatrix != "" {
		imp, err := moe.OpenImportance(j.imatrix)
		if err != nil {
			return err
		}
		defer imp.Close()
		e.Importance = imp.Columns
	}
	r, err := j.recipe()
	if err != nil {
		return err
	}
	return moe.Quantize(ctx, dst, j.in, r, e)
}

// recipe returns what the arguments ask for.
func (j *job) recipe() (*quant.Recipe, error) {
	dense, errDense := recipe(j.dense, j.typ)
	if j.experts == "" {
		return dense, errDense
	}
	experts, err := recipe(j.experts, j.typ)
	if err = errors.Join(errDense, err); err != nil {
		return nil, err
	}
	return quant.Split(dense, experts), nil
}

func recipe(name, otherwise string) (*quant.Recipe, error) {
	if name == "" {
		name = otherwise
	}
	typ, pure := strings.CutPrefix(strings.ToLower(name), "pure:")
	if !pure {
		return quant.Mix(name)
	}
	t, err := quant.Parse(typ)
	if err != nil {
		return nil, err
	}
	return quant.Pure(t)
}

// size returns the bytes of a file, or of a directory's checkpoint files.
func size(path string) (n int64) {
	entries, err := os.ReadDir(path)
	if err != nil {
		if info, err := os.Stat(path); err == nil {
			n = info.Size()
		}
		return n
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), ".safetensors") {
			n += info.Size()
		}
	}
	return n
}
