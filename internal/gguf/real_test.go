package gguf

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Files written by llama.cpp's own converter and quantiser.
func TestOpenReal(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared")
	if _, err := os.Stat(root); err != nil {
		t.Skip(err)
	}
	var paths []string
	for _, pattern := range []string{"golden/gguf/*.gguf", "tale/gguf/*.gguf", "vocab/*.gguf"} {
		m, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, m, pattern)
		paths = append(paths, m...)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := Open(path, ggmlSizes)
			require.NoError(t, err)
			defer f.Close()
			arch, ok, err := f.String("general.architecture")
			require.NoError(t, err)
			require.True(t, ok)
			require.NotEmpty(t, arch)
			for _, x := range f.Tensors() {
				require.Len(t, f.Bytes(x), int(x.Size))
				got, ok := f.Tensor(x.Name)
				require.True(t, ok)
				require.Same(t, x, got)
			}
		})
	}
}
