package main

import (
	"context"
	_ "embed"
	"fmt"
	"math"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

// heldout.txt is the beginning of the text that Tale was not trained on.
//
//go:embed heldout.txt
var heldout string

// loss prints what fewer experts for a token cost: WithTopK and WithMinGate change
// results, by how much is measured on the embedded model. They do not depend on
// what is in memory, so that they can be reproduced.
func loss(ctx context.Context) error {
	fmt.Printf("\nfewer experts a token: held-out loss of Tale (4 of 16 experts), nats a token\n")
	fmt.Println("setting             experts/token     loss     cost")
	base := 0.0
	for _, c := range []struct {
		name string
		k    int
		gate float32
	}{
		{"as trained", 0, 0}, {"WithTopK(3)", 3, 0}, {"WithTopK(2)", 2, 0}, {"WithTopK(1)", 1, 0},
		{"WithMinGate(0.25)", 0, 0.25}, {"WithMinGate(0.5)", 0, 0.5}, {"WithMinGate(0.75)", 0, 0.75},
	} {
		var used, choices int64
		opts := []moe.Option{moe.WithMinGate(c.gate), moe.WithRouteObserver(func(_, _ int, ids []int32, _ []float32) {
			choices++
			for _, id := range ids {
				if id >= 0 {
					used++
				}
			}
		})}
		if c.k > 0 {
			opts = append(opts, moe.WithTopK(c.k))
		}
		l, err := heldoutLoss(ctx, opts)
		if err != nil {
			return err
		}
		if base == 0 {
			base = l
		}
		fmt.Printf("%-19s %13.2f %8.4f %+8.4f\n", c.name, float64(used)/float64(choices), l, l-base)
	}
	return nil
}

// heldoutLoss is the mean over windows of 384 tokens, each after the begin token.
func heldoutLoss(ctx context.Context, opts []moe.Option) (float64, error) {
	m, err := moetest.Tale(opts...)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	tok, err := m.Tokenizer()
	if err != nil {
		return 0, err
	}
	bos, _ := tok.BOS()
	ids := tok.Encode(heldout, false, false)
	var sum float64
	n := 0
	for i := 0; i+384 <= len(ids); i += 384 {
		p, err := m.LogProbs(ctx, append([]int32{bos}, ids[i:i+384]...))
		if err != nil {
			return 0, err
		}
		for _, v := range p[1:] {
			sum -= float64(v)
			n++
		}
	}
	if n == 0 || math.IsNaN(sum) {
		return 0, fmt.Errorf("loss of %d tokens is %v", n, sum)
	}
	return sum / float64(n), nil
}
