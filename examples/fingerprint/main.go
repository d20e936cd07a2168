// Fingerprint prints a SHA-256 over the bits of all logits of a prompt and of
// greedy generation after it: two machines that print the same agree in every bit.
//
//	go run ./examples/fingerprint -prompt "Once upon a time" -n 32
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"hash"
	"math"
	"os"

	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

func main() {
	path := flag.String("model", "", "GGUF file or hub directory; the embedded Tale if empty")
	prompt := flag.String("prompt", "Once upon a time there was a king who had three daughters", "text")
	n := flag.Int("n", 32, "tokens to generate, greedily")
	threads := flag.Int("threads", 0, "worker threads, 0 for one each CPU")
	chunk := flag.Int("chunk", 0, "tokens of the prompt that travel together, 0 for all")
	batch := flag.Int("batch", 1, "sequences computed together; only the first counts")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, `Print a SHA-256 over the bits of all logits, the same on every machine.

usage: fingerprint [-model M] [-prompt P] [-n N] [-threads T] [-chunk C] [-batch B]

Threads, chunks, batches and the instruction set (COTERIE_ISA) change the speed but
not the print.

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	var opts []moe.Option
	if *threads > 0 {
		opts = append(opts, moe.WithThreads(*threads))
	}
	if err := run(*path, *prompt, *n, *chunk, *batch, opts); err != nil {
		fmt.Fprintln(os.Stderr, "fingerprint:", err)
		os.Exit(1)
	}
}

func run(path, prompt string, n, chunk, batch int, opts []moe.Option) error {
	open := func() (*moe.Model, error) { return moetest.Tale(opts...) }
	if path != "" {
		open = func() (*moe.Model, error) { return moe.Open(path, opts...) }
	}
	m, err := open()
	if err != nil {
		return err
	}
	defer m.Close()
	ids, err := encode(m, prompt)
	if err != nil {
		return err
	}
	sum, err := print(m, ids, n, chunk, batch)
	if err != nil {
		return err
	}
	isa, _ := kernels.ISA()
	fmt.Fprintf(os.Stderr, "%s, %d threads, %d + %d tokens\n", isa, m.Threads(), len(ids), n)
	fmt.Printf("%x\n", sum)
	return nil
}

// encode tokenises; a model without tokenizer takes the prompt's bytes as ids.
func encode(m *moe.Model, prompt string) ([]int32, error) {
	t, err := m.Tokenizer()
	if err == nil {
		return t.Encode(prompt, true, true), nil
	}
	ids := make([]int32, len(prompt))
	for i := range ids {
		ids[i] = int32(prompt[i]) % int32(m.Config().Vocab)
	}
	return ids, nil
}

// print hashes the logits of every token of the prompt and of the n after it.
func print(m *moe.Model, ids []int32, n, chunk, batch int) ([]byte, error) {
	ctx := context.Background()
	h := sha256.New()
	states := make([]*moe.State, max(batch, 1))
	for i := range states {
		states[i] = m.NewState()
	}
	if chunk <= 0 {
		chunk = len(ids)
	}
	var last []float32
	step := func(tokens []int32) error {
		steps := make([]moe.Step, len(states))
		for i, s := range states {
			steps[i] = moe.Step{State: s, Tokens: tokens, All: true}
			if i > 0 { // company of another kind: shifted tokens
				steps[i].Tokens = append([]int32(nil), tokens...)
				for j := range steps[i].Tokens {
					steps[i].Tokens[j] = (tokens[j] + int32(i)) % int32(m.Config().Vocab)
				}
			}
		}
		if err := m.ForwardBatch(ctx, steps); err != nil {
			return err
		}
		add(h, steps[0].Logits)
		last = steps[0].Logits[len(steps[0].Logits)-m.Config().Vocab:]
		return nil
	}
	for i := 0; i < len(ids); i += chunk {
		if err := step(ids[i:min(i+chunk, len(ids))]); err != nil {
			return nil, err
		}
	}
	for range n {
		best := 0
		for i, v := range last {
			if v > last[best] {
				best = i
			}
		}
		if err := step([]int32{int32(best)}); err != nil {
			return nil, err
		}
	}
	return h.Sum(nil), nil
}

func add(h hash.Hash, x []float32) {
	var b [4]byte
	for _, v := range x {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		h.Write(b[:])
	}
}
