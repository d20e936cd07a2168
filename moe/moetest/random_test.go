package moetest

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/coterie-go/coterie/moe"
)

// Every family opens, in memory and as files, runs, and gives other numbers for
// another seed and the same for the same.
func TestRandom(t *testing.T) {
	for _, name := range Families() {
		t.Run(name, func(t *testing.T) {
			logits := func(open func() (*moe.Model, error)) []float32 {
				m, err := open()
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				tok, err := m.Tokenizer()
				if err != nil {
					t.Fatal(err)
				}
				ids := tok.Encode("hello, world", true, false)
				if got := tok.Decode(ids, false); got != "hello, world" {
					t.Errorf("decodes to %q", got)
				}
				x, err := m.Forward(context.Background(), m.NewState(), ids)
				if err != nil {
					t.Fatal(err)
				}
				return append([]float32(nil), x...)
			}
			a := logits(func() (*moe.Model, error) { return Random(name, 1) })
			dir := t.TempDir()
			if err := WriteRandom(dir, name, 1); err != nil {
				t.Fatal(err)
			}
			b := logits(func() (*moe.Model, error) { return moe.Open(dir) })
			c := logits(func() (*moe.Model, error) { return Random(name, 2) })
			same := true
			for i := range a {
				if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
					t.Fatalf("logit %d: %v in memory, %v from files", i, a[i], b[i])
				}
				same = same && a[i] == c[i]
			}
			if same {
				t.Error("another seed gives the same logits")
			}
		})
	}
	if _, err := Random("parrot", 1); !errors.Is(err, ErrFamily) {
		t.Error(err)
	}
}

// TestStartUp: a unit test can afford a model.
func TestStartUp(t *testing.T) {
	for name, open := range map[string]func() (*moe.Model, error){
		"tale":   func() (*moe.Model, error) { return Tale() },
		"random": func() (*moe.Model, error) { return Random("deepseek-v3", 1) },
	} {
		best := time.Hour
		for range 5 {
			start := time.Now()
			m, err := open()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Tokenizer(); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
			m.Close()
		}
		if best > 50*time.Millisecond {
			t.Errorf("%s: %v to open, want at most 50 ms", name, best)
		}
		t.Logf("%s opens in %v", name, best)
	}
}
