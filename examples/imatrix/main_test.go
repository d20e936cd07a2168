package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/quant"
)

// TestRun: the file has llama.cpp's names and shapes, and counts of every token once
// for each expert that it goes to; a budget changes nothing.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.txt")
	must(t, os.WriteFile(text, []byte(strings.Repeat("Once upon a time there was a king who had three daughters.\n", 20)), 0o644))
	const chunk, chunks = 64, 3
	j := job{model: "../../moe/moetest/tale.gguf", text: text, out: filepath.Join(dir, "imatrix.gguf"), chunk: chunk, chunks: chunks, progress: func(done, total int64) {}}
	imp, err := j.run(context.Background())
	must(t, err)

	f, err := gguf.Open(j.out, quant.SizeOf)
	must(t, err)
	defer f.Close()
	const name = "blk.2.ffn_down_exps.weight"
	sums, ok1 := f.Tensor(name + ".in_sum2")
	counts, ok2 := f.Tensor(name + ".counts")
	if !ok1 || !ok2 || sums.Shape[1] != 16 || counts.Shape[0] != 1 || counts.Shape[1] != 16 {
		t.Fatalf("sums %v, counts %v", sums, counts)
	}
	if n, _, _ := f.Uint("imatrix.chunk_count"); n != chunks {
		t.Errorf("%d chunks, want %d", n, chunks)
	}
	total := 0
	for e := range 16 {
		total += imp.Count(name, e)
	}
	if total != 4*chunk*chunks {
		t.Errorf("experts saw %d tokens, want each of %d four times", total, chunk*chunks)
	}

	j.out = filepath.Join(dir, "budget.gguf")
	j.options = []moe.Option{moe.WithExpertBudget(4 << 20)}
	_, err = j.run(context.Background())
	must(t, err)
	a, err := os.ReadFile(filepath.Join(dir, "imatrix.gguf"))
	must(t, err)
	b, err := os.ReadFile(j.out)
	must(t, err)
	if string(a) != string(b) {
		t.Error("a budget changes the sums")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
