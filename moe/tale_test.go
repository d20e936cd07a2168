package moe_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-go/coterie/internal/safetensors"
	"github.com/coterie-go/coterie/moe"
)

// TestTaleGreedy continues three prompts as the reference does, from the
// checkpoint in bf16.
func TestTaleGreedy(t *testing.T) {
	dir := taleDir(t)
	m, err := moe.Open(dir, moe.WithCache(moe.CacheF32))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	f, err := safetensors.Open(filepath.Join(dir, "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ints := func(name string) []int32 {
		x, ok := f.Tensor(name)
		if !ok {
			t.Fatalf("no %s", name)
		}
		b := f.Bytes(x)
		ids := make([]int32, len(b)/4)
		for i := range ids {
			ids[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
		}
		return ids
	}
	for p := range 3 {
		ids, want := ints(fmt.Sprintf("%d.input_ids", p)), ints(fmt.Sprintf("%d.greedy", p))
		s := m.NewState()
		got := append([]int32(nil), ids...)
		next := ids
		for len(got) < len(want) {
			logits, err := m.Forward(context.Background(), s, next)
			if err != nil {
				t.Fatal(err)
			}
			best := 0
			for i, v := range logits {
				if v > logits[best] {
					best = i
				}
			}
			next = []int32{int32(best)}
			got = append(got, next...)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("prompt %d: %v, want %v", p, got, want)
		}
	}
}

// TestTaleHeldout measures the loss on held-out text by the reference's procedure:
// windows of 384 tokens after a begin token, all of them predicted. Half a minute.
func TestTaleHeldout(t *testing.T) {
	dir := taleDir(t)
	if os.Getenv("COTERIE_LONG") == "" {
		t.Skip("set COTERIE_LONG=1 for the long matrix")
	}
	const want, margin = 3.4870, 0.0005
	m, err := moe.Open(dir, moe.WithCache(moe.CacheF32))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	tok, err := m.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "heldout.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var ids []int32
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\n"); line != "" {
			ids = append(ids, tok.Encode(line+"\n", false, false)...)
		}
	}
	if len(ids) != 89567 {
		t.Fatalf("%d tokens, want 89567", len(ids))
	}
	bos, _ := tok.BOS()
	v := m.Config().Vocab
	var loss float64
	n := 0
	for at := 0; at < len(ids)-384; at += 384 {
		window := append([]int32{bos}, ids[at:at+384]...)
		logits, err := m.ForwardAll(context.Background(), m.NewState(), window[:384])
		if err != nil {
			t.Fatal(err)
		}
		for i := range 384 {
			row := logits[i*v : (i+1)*v]
			top := math.Inf(-1)
			for _, x := range row {
				top = max(top, float64(x))
			}
			var sum float64
			for _, x := range row {
				sum += math.Exp(float64(x) - top)
			}
			loss += math.Log(sum) + top - float64(row[window[i+1]])
			n++
		}
	}
	if n != 89472 {
		t.Errorf("%d tokens predicted, want 89472", n)
	}
	if loss /= float64(n); math.Abs(loss-want) > margin {
		t.Errorf("held-out loss %.5f, want %v +- %v", loss, want, margin)
	} else {
		t.Logf("held-out loss %.5f", loss)
	}
}
