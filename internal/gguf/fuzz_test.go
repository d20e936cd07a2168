package gguf

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"testing"
)

// FuzzGGUF holds that no bytes make the parser panic or return an unsound file,
// and that what it accepts survives being written and read again.
func FuzzGGUF(f *testing.F) {
	data, _ := small()
	f.Add(data)
	f.Add(head(3, 0, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := FromBytes(data, ggmlSizes)
		sound(t, g, err)
		if err != nil {
			return
		}
		if align, _, _ := g.Uint(keyAlignment); align > 1<<12 {
			return // a valid file, but of gigabytes of padding
		}
		first := rewrite(t, g)
		h, err := FromBytes(first, ggmlSizes)
		if err != nil {
			t.Fatalf("written and not read: %v", err)
		}
		if second := rewrite(t, h); !bytes.Equal(first, second) {
			t.Fatal("written twice, not the same")
		}
	})
}

func rewrite(t *testing.T, f *File) []byte {
	w := NewWriter()
	for _, key := range slices.Sorted(maps.Keys(f.KV())) {
		w.SetKV(key, f.KV()[key])
	}
	for _, x := range f.Tensors() {
		w.AddTensor(x.Name, x.Type, x.Shape, x.Size, func(w io.Writer) error {
			_, err := w.Write(f.Bytes(x))
			return err
		})
	}
	var buf bytes.Buffer
	if _, err := w.WriteTo(&buf); err != nil {
		t.Fatalf("read and not written: %v", err)
	}
	return buf.Bytes()
}
