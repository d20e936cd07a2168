package moe

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/quant"
)

// TestExport converts each hub case to GGUF in bf16. The file must give the
// reference's numbers, and where llama.cpp's converter wrote the same model, the
// tensors must be the same, byte for byte.
func TestExport(t *testing.T) {
	dirs, _ := goldenDirs(t)
	for _, dir := range dirs {
		cases, _ := filepath.Glob(filepath.Join(dir, "*", "golden.safetensors"))
		for _, c := range cases {
			hub := filepath.Dir(c)
			name := filepath.Base(hub)
			ck, err := openCheckpoint(hub)
			if err != nil {
				continue // TestGolden's to report
			}
			fp8 := false
			for _, n := range ck.names {
				fp8 = fp8 || filepath.Ext(n) == ".weight_scale_inv"
			}
			ck.close()
			t.Run(name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), name+".gguf")
				f, err := os.Create(path)
				if err != nil {
					t.Fatal(err)
				}
				e := Export{FileType: 32, Type: func(x ExportTensor) quant.Type {
					if fp8 {
						return quant.F32 // bf16 would round the products with the scales
					}
					return quant.BF16
				}}
				if err := ExportGGUF(context.Background(), f, hub, e); err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				golden(t, path, c)
				if twin := filepath.Join(dir, "gguf", name+".gguf"); exists(twin) {
					sameTensors(t, path, twin)
				}
				sameTokens(t, path, hub)
			})
		}
	}
}

func sameTensors(t *testing.T, path, twin string) {
	a, err := gguf.Open(path, quant.SizeOf)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := gguf.Open(twin, quant.SizeOf)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, y := range b.Tensors() {
		x, ok := a.Tensor(y.Name)
		switch {
		case !ok:
			t.Errorf("%s: missing", y.Name)
		case x.Type != y.Type:
			t.Errorf("%s: type %d, want %d", y.Name, x.Type, y.Type)
		case !bytes.Equal(a.Bytes(x), b.Bytes(y)):
			t.Errorf("%s: other bytes", y.Name)
		}
	}
	if len(a.Tensors()) != len(b.Tensors()) {
		t.Errorf("%d tensors, want %d", len(a.Tensors()), len(b.Tensors()))
	}
}

func sameTokens(t *testing.T, path, hub string) {
	a, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := Open(hub)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	x, err := a.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	if g, w := x.Encode(preProbe, true, true), y.Encode(preProbe, true, true); len(g) != len(w) {
		t.Errorf("%d ids, want %d", len(g), len(w))
	}
}
