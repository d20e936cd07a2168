package moe_test

import (
	"context"
	"fmt"
	"log"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

// The same seed gives the same text on every machine.
func ExampleModel_Generate() {
	model, err := moetest.Tale()
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	opt := moe.Sampling{Temperature: 0.7, TopP: 0.9, Seed: 1, MaxTokens: 40, Stop: []string{"\n"}}
	for token, err := range model.Generate(context.Background(), model.NewState(), "Once upon a time", opt) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(token.Text)
	}
	// Output:
	// there lived a king and queen who had a daughter, and every day her father had a son, the son of a neighbouring King, and the queen had all died while she was still on the
}

// How much less likely is a wrong order of words?
func ExampleModel_LogProbs() {
	model, err := moetest.Tale()
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	tok, err := model.Tokenizer()
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{"Once upon a time there was a king", "Once a upon there time was king a"} {
		p, err := model.LogProbs(context.Background(), tok.Encode(text, true, false))
		if err != nil {
			log.Fatal(err)
		}
		var sum float32
		for _, x := range p {
			sum += x
		}
		fmt.Printf("%.1f %s\n", sum, text)
	}
	// Output:
	// -7.9 Once upon a time there was a king
	// -64.2 Once a upon there time was king a
}
