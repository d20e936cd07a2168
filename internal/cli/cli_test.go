package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// sizes records how long writes are.
type sizes struct {
	bytes.Buffer
	list []int
}

func (s *sizes) Write(b []byte) (int, error) {
	s.list = append(s.list, len(b))
	return s.Buffer.Write(b)
}

// TestPieces: whatever is written arrives, in whole pieces.
func TestPieces(t *testing.T) {
	want := make([]byte, 2*pieceBytes+77)
	for i := range want {
		want[i] = byte(i * i >> 8)
	}
	var got sizes
	w := pieces{w: &got}
	for from, n := 0, 1; from < len(want); n = 5*n + 3 {
		to := min(from+n, len(want))
		if k, err := w.Write(want[from:to]); k != to-from || err != nil {
			t.Fatal(k, err)
		}
		from = to
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("other bytes")
	}
	if len(got.list) != 3 || got.list[0] != pieceBytes || got.list[1] != pieceBytes || got.list[2] != 77 {
		t.Errorf("pieces of %v", got.list)
	}
}

// TestWriteFile: all or nothing.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	gone := errors.New("gone")
	if err := WriteFile(path, func(w io.Writer) error { w.Write([]byte("half")); return gone }); !errors.Is(err, gone) {
		t.Error(err)
	}
	if list, _ := os.ReadDir(dir); len(list) > 0 {
		t.Error("something was left behind")
	}
	if err := WriteFile(path, func(w io.Writer) error { _, err := w.Write([]byte("all of it")); return err }); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "all of it" {
		t.Errorf("%q", got)
	}
}
