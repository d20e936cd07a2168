package moe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/quant"
)

// TestImportance collects activations of every GGUF case and checks that every
// matrix that a token is multiplied with was seen, with the right number of columns
// and of matrices; that the figures are those of the residual stream; and that they
// survive a file.
func TestImportance(t *testing.T) {
	paths, _ := filepath.Glob("testdata/golden/gguf/*.gguf")
	for _, path := range append(paths, "moetest/tale.gguf") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			imp := NewImportance()
			var x []float32 // the first layer's input
			hidden := func(layer int, h []float32) {
				if layer == 0 {
					x = append(x[:0], h...)
				}
			}
			m, err := Open(path, WithActivationObserver(imp.Observe), withHidden(hidden))
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			ids := make([]int32, 20)
			for i := range ids {
				ids[i] = int32(5 + 3*i)
			}
			if _, err := m.ForwardAll(context.Background(), m.NewState(), ids); err != nil {
				t.Fatal(err)
			}

			f, err := gguf.Open(path, quant.SizeOf)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for _, v := range f.Tensors() {
				if len(v.Shape) < 2 || v.Name == "token_embd.weight" || strings.Contains(v.Name, "_norm.") || strings.HasSuffix(v.Name, ".bias") || strings.Contains(v.Name, "conv1d") {
					continue
				}
				if strings.HasPrefix(v.Name, "blk.") && strings.Contains(v.Name, "nextn") || layerNumber(v.Name) >= len(m.cfg.Layers) {
					continue // prediction layers
				}
				parts := 1
				if len(v.Shape) == 3 {
					parts = int(v.Shape[2])
				}
				if n := imp.Parts(v.Name); n != parts {
					t.Errorf("%s: %d matrices, want %d", v.Name, n, parts)
				} else if n := len(imp.Columns(v.Name, 0).Square); n != int(v.Shape[0]) {
					t.Errorf("%s: %d columns, want %d", v.Name, n, v.Shape[0])
				}
			}

			// what the first layer's first matrix is multiplied with
			name := "blk.0.attn_q_a.weight"
			for _, other := range []string{"blk.0.attn_q.weight", "blk.0.attn_qkv.weight"} {
				if imp.Parts(other) == 1 {
					name = other
				}
			}
			got := imp.Columns(name, 0)
			square, mean := make([]float64, m.cfg.Dim), make([]float64, m.cfg.Dim)
			row := make([]float32, m.cfg.Dim)
			for i := range ids {
				kernels.RMSNorm(row, x[i*m.cfg.Dim:][:m.cfg.Dim], m.w.layers[0].attnNorm, m.cfg.NormEps)
				for j, v := range row {
					square[j] += float64(v) * float64(v) / float64(len(ids))
					mean[j] += float64(v) / float64(len(ids))
				}
			}
			for j := range square {
				if math.Abs(float64(got.Square[j])-square[j]) > 1e-5*square[j] || math.Abs(float64(got.Mean[j])-mean[j]) > 1e-5*math.Sqrt(square[j]) {
					t.Fatalf("%s, column %d: %v and %v, want %v and %v", name, j, got.Square[j], got.Mean[j], square[j], mean[j])
				}
			}
			throughFile(t, imp)
		})
	}
}

func layerNumber(name string) int {
	n := -1
	if s, ok := strings.CutPrefix(name, "blk."); ok {
		n = 0
		for s[0] != '.' {
			n, s = 10*n+int(s[0]-'0'), s[1:]
		}
	}
	return n
}

func throughFile(t *testing.T, imp *Importance) {
	t.Helper()
	var b bytes.Buffer
	if err := imp.WriteGGUF(&b, ImportanceSource{Datasets: []string{"text"}, Chunks: 1, ChunkSize: 20}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "imatrix.gguf")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	back, err := OpenImportance(path)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	for _, name := range imp.Tensors() {
		for p := range imp.Parts(name) {
			x, y := imp.Columns(name, p), back.Columns(name, p)
			for i := range x.Square {
				if x.Square[i] != y.Square[i] || x.Mean[i] != y.Mean[i] || imp.Count(name, p) != back.Count(name, p) {
					t.Fatalf("%s, matrix %d, column %d: changed in the file", name, p, i)
				}
			}
		}
	}
}

// TestUnseenExpert: an expert that saw no token has the average of the others.
func TestUnseenExpert(t *testing.T) {
	imp := NewImportance()
	for i, x := range [][]float32{{1, 2}, {3, 2}, {5, 6}} {
		imp.Observe(Activation{Tensor: "w", Part: i % 2, Parts: 3, X: x})
	}
	c := imp.Columns("w", 2)
	for i, want := range []float32{(1 + 9 + 25) / 3., (4 + 4 + 36) / 3.} {
		if math.Abs(float64(c.Square[i]-want)) > 1e-5 {
			t.Errorf("column %d: %v, want %v", i, c.Square[i], want)
		}
	}
	if c := imp.Columns("w", 3); c.Square != nil {
		t.Error("columns of an expert that there is not")
	}
	if c := imp.Columns("v", 0); c.Square != nil {
		t.Error("columns of an unknown tensor")
	}
}

// TestImportanceFiles: files that are no importance matrices are refused.
func TestImportanceFiles(t *testing.T) {
	imp := NewImportance()
	imp.Observe(Activation{Tensor: "w", Part: 0, Parts: 1, X: []float32{1, float32(math.NaN())}})
	var b bytes.Buffer
	if err := imp.WriteGGUF(&b, ImportanceSource{}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"nan": b.Bytes(), "short": b.Bytes()[:b.Len()/2], "dat": {1, 0, 0, 0, 1, 0, 0, 0}} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenImportance(path); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenImportance("moetest/tale.gguf"); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "imatrix") {
		t.Error(err)
	}
}

// full is a disk with so much room.
type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.room {
		n := f.room
		f.room = 0
		return n, syscall.ENOSPC
	}
	f.room -= len(b)
	return len(b), nil
}

// TestQuantizeStops: an interrupt and a full disk end a run with the reason.
func TestQuantizeStops(t *testing.T) {
	r, err := quant.Mix("q4_k_m")
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 1000, 1 << 20} {
		if err := Quantize(context.Background(), &full{room}, "moetest/tale.gguf", r, Export{}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	err = Quantize(ctx, io.Discard, "moetest/tale.gguf", r, Export{Progress: func(done, total int64) {
		if calls++; done > total/2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || calls < 10 {
		t.Errorf("after %d calls: %v", calls, err)
	}
	err = Quantize(context.Background(), io.Discard, "moetest/tale.gguf", r, Export{Importance: func(string, int) quant.Columns {
		return quant.Columns{Square: make([]float32, 3)}
	}})
	if !errors.Is(err, ErrTensor) {
		t.Error(err)
	}
}
