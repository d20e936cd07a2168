package safetensors

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Files written by the reference implementation.
func TestOpenReal(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared")
	if _, err := os.Stat(root); err != nil {
		t.Skip(err)
	}
	var paths []string
	for _, pattern := range []string{"golden/*/*.safetensors", "tale/*.safetensors", "quant/*.safetensors"} {
		m, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, m, pattern)
		paths = append(paths, m...)
	}
	for _, path := range paths {
		t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) {
			f, err := Open(path)
			require.NoError(t, err)
			defer f.Close()
			require.NotEmpty(t, f.Names())
			total := int64(0)
			for _, name := range f.Names() {
				x, ok := f.Tensor(name)
				require.True(t, ok)
				require.Equal(t, name, x.Name)
				require.Len(t, f.Bytes(x), int(x.Size))
				total += x.Size
			}
			require.Less(t, f.Shards()[0].Size()-total, int64(1<<20), "all but the header")
		})
	}
	t.Run("directory", func(t *testing.T) {
		f, err := Open(filepath.Join(root, "tale"))
		require.NoError(t, err)
		require.NoError(t, f.Close())
	})
}
