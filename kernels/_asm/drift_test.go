package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestDrift compares the committed files with what the generators write now.
func TestDrift(t *testing.T) {
	for _, s := range stems {
		files, err := s.generate()
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range files {
			got, err := os.ReadFile(filepath.Join("..", name))
			if err != nil {
				t.Error(err)
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s is not what its generator writes: run go run . in kernels/_asm", name)
			}
		}
	}
}
