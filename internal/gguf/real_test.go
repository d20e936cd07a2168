package gguf

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-go/coterie/internal/safetensors"
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
			end := int64(0)
			for _, x := range f.Tensors() {
				end = x.Offset + x.Size
				require.Len(t, f.Bytes(x), int(x.Size))
				got, ok := f.Tensor(x.Name)
				require.True(t, ok)
				require.Same(t, x, got)
			}
			if end > 0 {
				require.Less(t, f.Shards()[0].Size()-end, int64(32), "the last tensor ends the file")
			}
		})
	}
}

// The embedding of each family must be the same bytes in both of its files:
// llama.cpp's converter copies bf16 as it is.
func TestTwins(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared", "golden")
	paths, err := filepath.Glob(filepath.Join(root, "gguf", "*.gguf"))
	require.NoError(t, err)
	if len(paths) == 0 {
		t.Skip("no files at ", root)
	}
	same := 0
	for _, path := range paths {
		family := strings.TrimSuffix(filepath.Base(path), ".gguf")
		g, err := Open(path, ggmlSizes)
		require.NoError(t, err)
		defer g.Close()
		hub, err := safetensors.Open(filepath.Join(root, family))
		require.NoError(t, err)
		defer hub.Close()
		ours, ok := g.Tensor("token_embd.weight")
		require.True(t, ok, family)
		theirs, ok := hub.Tensor("model.embed_tokens.weight")
		if !ok || ours.Type != 30 || theirs.Dtype != safetensors.BF16 {
			continue
		}
		require.Equal(t, []uint64{uint64(theirs.Shape[1]), uint64(theirs.Shape[0])}, ours.Shape, family)
		require.True(t, bytes.Equal(g.Bytes(ours), hub.Bytes(theirs)), family)
		same++
	}
	require.Greater(t, same, 10)
}
