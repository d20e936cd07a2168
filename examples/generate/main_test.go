package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/coterie-go/coterie/moe"
)

// The same seed tells the same story on every machine, and the closing line says
// what it cost.
func TestRun(t *testing.T) {
	var a, b bytes.Buffer
	o := moe.Sampling{Temperature: 0.7, TopP: 0.95, Seed: 1, MaxTokens: 30}
	if err := run(context.Background(), &a, "", "Once upon a time", o, nil); err != nil {
		t.Fatal(err)
	}
	if err := run(context.Background(), &b, "", "Once upon a time", o, []moe.Option{moe.WithThreads(3)}); err != nil {
		t.Fatal(err)
	}
	story, closing, _ := strings.Cut(a.String(), "\n\nprompt ")
	again, _, _ := strings.Cut(b.String(), "\n\nprompt ")
	const want = "Once upon a time there lived a king and queen who had a daughter"
	if !strings.HasPrefix(story, want) || again != story {
		t.Errorf("%q and %q, want %q...", story, again, want)
	}
	for _, says := range []string{"6 tokens", "generated 30", "3.46 M of 7.52 M parameters active (46.0 %)"} {
		if !strings.Contains(closing, says) {
			t.Errorf("%q does not say %q", closing, says)
		}
	}
}
