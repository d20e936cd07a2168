package moe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/internal/safetensors"
	"github.com/coterie-go/coterie/quant"
)

// run40 returns the logits of a few tokens.
func run40(t *testing.T, path string, opts ...Option) []float32 {
	t.Helper()
	m, err := Open(path, append(opts, WithCache(CacheF32))...)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	x, err := m.ForwardAll(context.Background(), m.NewState(), []int32{0, 17, 99, 300, 5, 42, 42, 7})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestSharded: a checkpoint in several safetensors files with an index gives the
// bits of the one in a single file; a shard that is missing is named.
func TestSharded(t *testing.T) {
	want := run40(t, sample)
	dir := t.TempDir()
	for _, name := range []string{"config.json", "tokenizer.json"} {
		data, err := os.ReadFile(filepath.Join(sample, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := safetensors.Open(sample)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var parts [3][]safetensors.TensorData
	weights := map[string]string{}
	for i, name := range f.Names() {
		x, _ := f.Tensor(name)
		parts[i%3] = append(parts[i%3], safetensors.TensorData{Name: name, Dtype: x.Dtype, Shape: x.Shape, Data: f.Bytes(x)})
		weights[name] = fmt.Sprintf("model-%05d-of-00003.safetensors", i%3+1)
	}
	for i, p := range parts {
		writeTo(t, filepath.Join(dir, fmt.Sprintf("model-%05d-of-00003.safetensors", i+1)), func(w io.Writer) error {
			return safetensors.Write(w, nil, p)
		})
	}
	index, err := json.Marshal(map[string]any{"metadata": map[string]any{}, "weight_map": weights})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), index, 0o644); err != nil {
		t.Fatal(err)
	}
	sameBits(t, "three shards", run40(t, dir), want)
	sameBits(t, "three shards within a budget", run40(t, dir, WithExpertBudget(tight(t, dir))), want)

	if err := os.Remove(filepath.Join(dir, "model-00002-of-00003.safetensors")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "model-00002-of-00003.safetensors") {
		t.Errorf("a shard is missing: %v", err)
	}
}

// tight is the smallest budget that a checkpoint can run within.
func tight(t *testing.T, path string) int64 {
	t.Helper()
	p, err := Plan(path, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return p.Minimum
}

func writeTo(t *testing.T, path string, write func(io.Writer) error) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSplit: so does a GGUF file in three pieces, and one of version 2.
func TestSplit(t *testing.T) {
	const whole = "testdata/golden/gguf/deepseek-v3.gguf"
	want := run40(t, whole)
	f, err := gguf.Open(whole, quant.SizeOf)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	name := func(i int) string { return filepath.Join(dir, fmt.Sprintf("m-%05d-of-00003.gguf", i+1)) }
	for i := range 3 {
		w := gguf.NewWriter()
		if i == 0 {
			for k, v := range f.KV() {
				w.SetKV(k, v)
			}
		}
		w.SetKV("split.no", uint16(i))
		w.SetKV("split.count", uint16(3))
		w.SetKV("split.tensors.count", int32(len(f.Tensors())))
		for j, x := range f.Tensors() {
			if j*3/len(f.Tensors()) == i {
				w.AddTensor(x.Name, x.Type, x.Shape, x.Size, func(w io.Writer) error { _, err := w.Write(f.Bytes(x)); return err })
			}
		}
		writeTo(t, name(i), func(out io.Writer) error { _, err := w.WriteTo(out); return err })
	}
	sameBits(t, "three pieces", run40(t, name(0)), want)
	sameBits(t, "three pieces within a budget", run40(t, name(0), WithExpertBudget(tight(t, name(0)))), want)

	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	old := bytes.Clone(data)
	old[4] = 2 // version 2 differs from 3 in nothing that a little-endian file shows
	v2 := filepath.Join(dir, "v2.gguf")
	if err := os.WriteFile(v2, old, 0o644); err != nil {
		t.Fatal(err)
	}
	sameBits(t, "version 2", run40(t, v2), want)
}

// TestExportTypes: a conversion to f32 or bf16 loses nothing of a bf16 checkpoint,
// f16 and q8_0 little; converting the conversion again changes nothing.
func TestExportTypes(t *testing.T) {
	want := run40(t, sample)
	for _, c := range []struct {
		typ   quant.Type
		error float64 // normalised squared
	}{{quant.F32, 1e-9}, {quant.BF16, 1e-9}, {quant.F16, 1e-6}, {quant.Q8_0, 2e-3}} {
		t.Run(c.typ.String(), func(t *testing.T) {
			dir := t.TempDir()
			e := Export{Type: func(ExportTensor) quant.Type { return c.typ }}
			one, two := filepath.Join(dir, "one.gguf"), filepath.Join(dir, "two.gguf")
			writeTo(t, one, func(w io.Writer) error { return ExportGGUF(context.Background(), w, sample, e) })
			got := run40(t, one)
			var diff, norm float64
			for i, v := range want {
				d := float64(got[i] - v)
				diff, norm = diff+d*d, norm+float64(v)*float64(v)
			}
			if diff > c.error*norm {
				t.Errorf("normalised squared error %.3g, want at most %g", diff/norm, c.error)
			}
			writeTo(t, two, func(w io.Writer) error { return ExportGGUF(context.Background(), w, one, e) })
			sameBits(t, "converted again", run40(t, two), got)
		})
	}
}
