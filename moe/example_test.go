package moe_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

func Example() {
	m, err := moetest.Tale() // or moe.Open("model.gguf")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	ctx := context.Background()
	s := m.NewState()
	for tok, err := range m.Generate(ctx, s, "Once upon a time", moe.Sampling{MaxTokens: 12}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(tok.Text)
	}
	// Output: there lived a king who had a daughter who was so beautiful
}

func ExampleOpen() {
	m, err := moe.Open("testdata/golden/qwen3-moe", moe.WithThreads(2), moe.WithCache(moe.CacheF32))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	c := m.Config()
	fmt.Println(c.Family, len(c.Layers), "layers,", c.Router.TopK, "of", c.Router.Experts, "experts")

	_, err = moe.Open("no/such/file.gguf")
	fmt.Println(errors.Is(err, moe.ErrFormat))
	// Output:
	// qwen3-moe 2 layers, 3 of 8 experts
	// true
}

func ExampleModel_Forward() {
	m, err := moetest.Tale()
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	tok, err := m.Tokenizer()
	if err != nil {
		log.Fatal(err)
	}
	logits, err := m.Forward(context.Background(), m.NewState(), tok.Encode("Once upon a", true, false))
	if err != nil {
		log.Fatal(err)
	}
	best := 0
	for id, score := range logits {
		if score > logits[best] {
			best = id
		}
	}
	fmt.Printf("%d scores, best %q\n", len(logits), tok.Decode([]int32{int32(best)}, false))
	// Output: 2048 scores, best " time"
}

// Several sequences go through the model together; the results are those of
// going alone, bit for bit.
func ExampleModel_ForwardBatch() {
	m, err := moetest.Tale()
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	ctx := context.Background()
	alone, err := m.Forward(ctx, m.NewState(), []int32{0, 300, 301})
	if err != nil {
		log.Fatal(err)
	}
	steps := []moe.Step{
		{State: m.NewState(), Tokens: []int32{0, 300, 301}},
		{State: m.NewState(), Tokens: []int32{0, 77}},
	}
	if err := m.ForwardBatch(ctx, steps); err != nil {
		log.Fatal(err)
	}
	same := true
	for i, v := range steps[0].Logits {
		same = same && v == alone[i]
	}
	fmt.Println(same)
	// Output: true
}

// A fork shares what its parent has read; both go on by themselves.
func ExampleState_Fork() {
	m, err := moetest.Tale()
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	ctx := context.Background()
	s := m.NewState()
	if _, err := m.Forward(ctx, s, []int32{0, 300, 301}); err != nil {
		log.Fatal(err)
	}
	f, err := s.Fork()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := m.Forward(ctx, f, []int32{7}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Len(), f.Len())
	// Output: 3 4
}

func ExampleWithoutMapping() {
	m, err := moe.Open("moetest/tale.gguf", moe.WithoutMapping()) // all read now, in large pages
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	logits, err := m.Forward(context.Background(), m.NewState(), []int32{0, 300, 301})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(logits), "scores")
	// Output: 2048 scores
}

func ExampleWithRouteObserver() {
	chosen := 0
	m, err := moetest.Tale(moe.WithRouteObserver(func(layer, position int, ids []int32, weights []float32) {
		chosen += len(ids)
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Forward(context.Background(), m.NewState(), []int32{0, 300, 301}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(chosen, "choices: 3 tokens, 4 routed layers, 4 experts each")
	// Output: 48 choices: 3 tokens, 4 routed layers, 4 experts each
}
