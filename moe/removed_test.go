package moe

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coterie-go/coterie/quant"
)

// A file of 2023 with a type that was removed since is refused by that type's name.
func TestOpenRefusesRemovedTypes(t *testing.T) {
	for id, name := range map[uint32]string{4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 99: "99"} {
		b := []byte("GGUF")
		b = binary.LittleEndian.AppendUint32(b, 3)
		b = binary.LittleEndian.AppendUint64(b, 1) // tensors
		b = binary.LittleEndian.AppendUint64(b, 0) // keys
		b = append(binary.LittleEndian.AppendUint64(b, 1), 'x')
		b = binary.LittleEndian.AppendUint32(b, 1)  // dimensions
		b = binary.LittleEndian.AppendUint64(b, 32) // values
		b = binary.LittleEndian.AppendUint32(b, id)
		b = binary.LittleEndian.AppendUint64(b, 0) // offset
		b = append(b, make([]byte, 256)...)
		path := filepath.Join(t.TempDir(), "old.gguf")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		_, err := Open(path)
		require.ErrorIs(t, err, ErrFormat)
		require.ErrorIs(t, err, quant.ErrType)
		require.ErrorContains(t, err, `tensor "x"`)
		require.ErrorContains(t, err, name)
	}
}
