package moetest_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log"
	"math"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

// A unit test of code that talks to a model dictates what the model says.
func ExampleScripted() {
	m, err := moetest.Scripted(moetest.Replies(map[string]string{
		"What is the capital of France?": " Paris.",
		"And of Italy?":                  " Rome.",
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s := m.NewState()
	for _, q := range []string{"What is the capital of France?", "And of Italy?"} {
		for tok, err := range m.Generate(context.Background(), s, q, moe.Sampling{Temperature: 1}) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Print(tok.Text)
		}
		fmt.Println()
	}
	// Output:
	//  Paris.
	//  Rome.
}

// The embedded model's numbers are the same bits on every machine, so a test may
// assert them.
func ExampleTale() {
	m, err := moetest.Tale()
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	logits, err := m.Forward(context.Background(), m.NewState(), []int32{0, 300, 301, 302})
	if err != nil {
		log.Fatal(err)
	}
	h := sha256.New()
	for _, v := range logits {
		h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
	}
	fmt.Printf("%x\n", h.Sum(nil)[:8])
	// Output: 83467adcf55ad7a9
}

// A tiny model of any family, with random weights.
func ExampleRandom() {
	m, err := moetest.Random("gpt-oss", 1)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	logits, err := m.Forward(context.Background(), m.NewState(), []int32{0, 10, 20})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Config().Router.TopK, "of", m.Config().Router.Experts, "experts,", len(logits), "logits")
	// Output: 3 of 8 experts, 384 logits
}

func ExampleWriteRandom() {
	fmt.Println(moetest.WriteRandom("", "no such family", 1) != nil)
	// Output: true
}

func ExampleReplies() {
	answer := moetest.Replies(map[string]string{"?": "42"})
	fmt.Println(answer("What is six times seven?"))
	fmt.Println(answer("Nothing is asked."))
	// Output:
	// 42 true
	//  false
}

func ExampleFamilies() {
	fmt.Println(moetest.Families()[:3])
	// Output: [deepseek-v2 deepseek-v2-lite deepseek-v3]
}
