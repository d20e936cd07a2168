package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/quant"
)

const tale = "../../moe/moetest/tale.gguf"

func TestQuantize(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.gguf")
	j := job{in: tale, out: out, experts: "q3_k", dense: "q6_k", progress: func(done, total int64) {}}
	must(t, j.run(context.Background()))
	f, err := gguf.Open(out, quant.SizeOf)
	must(t, err)
	defer f.Close()
	for name, want := range map[string]quant.Type{
		"blk.2.ffn_up_exps.weight": quant.Q3_K, "blk.2.ffn_up_shexp.weight": quant.Q6_K, "blk.2.ffn_gate_inp.weight": quant.F32,
		"output_norm.weight": quant.F32, "token_embd.weight": quant.Q6_K, "output.weight": quant.Q6_K,
	} {
		x, ok := f.Tensor(name)
		if !ok || quant.Type(x.Type) != want {
			t.Errorf("%s: %v, want %v", name, x, want)
		}
	}
	m, err := moe.Open(out)
	must(t, err)
	defer m.Close()
	if _, err := m.Forward(context.Background(), m.NewState(), []int32{1, 2, 3}); err != nil {
		t.Error(err)
	}
}

// TestNothingLeft: an interrupted run and a full disk leave nothing behind.
func TestNothingLeft(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	j := job{in: tale, out: filepath.Join(dir, "out.gguf"), typ: "q4_k_m"}
	j.progress = func(done, total int64) {
		if done > total/2 {
			cancel()
		}
	}
	if err := j.run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	empty(t, dir)
	err := cli.WriteFile(j.out, func(w io.Writer) error { return j.write(context.Background(), &full{w, 1 << 20}) })
	if !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	empty(t, dir)
	j.typ = "q9_z"
	if err := j.run(context.Background()); !errors.Is(err, quant.ErrType) {
		t.Error(err)
	}
	empty(t, dir)
}

// full is a disk with little room left.
type full struct {
	w    io.Writer
	room int
}

func (w *full) Write(b []byte) (int, error) {
	if w.room -= len(b); w.room < 0 {
		return 0, syscall.ENOSPC
	}
	return w.w.Write(b)
}

func empty(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range list {
		t.Errorf("%s was left behind", e.Name())
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
