package moe_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/coterie-go/coterie/internal/synth"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
	"github.com/stretchr/testify/require"
)

var updateTraces = flag.Bool("update-traces", false, "record the traces of ../expert/testdata anew")

// tokensTraced is how much of text.txt goes through the made models.
const tokensTraced = 512

// recordTrace returns which experts of each layer with routing the tokens went to, as
// testdata/README.md of package expert says. It sees what any caller's observer sees.
func recordTrace(t *testing.T, path string, ids []int32) []byte {
	var mu sync.Mutex
	seen := map[int][]byte{} // of each layer
	m, err := moe.Open(path, moe.WithRouteObserver(func(layer, position int, ids []int32, _ []float32) {
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, len(seen[layer]), position*len(ids), "tokens are shown in order")
		for _, id := range ids {
			seen[layer] = append(seen[layer], byte(id))
		}
	}))
	require.NoError(t, err)
	defer m.Close()
	_, err = m.Forward(context.Background(), m.NewState(), ids)
	require.NoError(t, err)

	var layers []int
	for l := range seen {
		layers = append(layers, l)
	}
	slices.Sort(layers)
	c := m.Config().Router
	all := binary.LittleEndian.AppendUint16(nil, uint16(len(layers)))
	all = binary.LittleEndian.AppendUint16(all, uint16(c.Experts))
	all = binary.LittleEndian.AppendUint16(all, uint16(c.TopK))
	for token := range ids {
		for _, l := range layers {
			all = append(all, seen[l][token*c.TopK:][:c.TopK]...)
		}
	}
	return all
}

// TestTraces makes models of true shapes in small, with a router that has
// favourites, sends a text through them and compares where its tokens went with the
// traces from which the policies of package expert are judged. They are the same
// bytes on every machine.
func TestTraces(t *testing.T) {
	text, err := os.ReadFile("../expert/testdata/text.txt")
	require.NoError(t, err)
	tale, err := moetest.Tale()
	require.NoError(t, err)
	defer tale.Close()
	tok, err := tale.Tokenizer()
	require.NoError(t, err)
	ids := tok.Encode(string(text), false, false)
	require.GreaterOrEqual(t, len(ids), tokensTraced)
	ids = ids[:tokensTraced]
	for _, shape := range []string{"olmoe-1b-7b", "qwen3-30b-a3b", "deepseek-v2-lite", "gpt-oss-20b"} {
		t.Run(shape, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "model.gguf")
			f, err := os.Create(path)
			require.NoError(t, err)
			require.NoError(t, synth.Write(context.Background(), f, shape, "q8_0", 6, nil, synth.Tiny(), synth.Skewed(0.85)))
			require.NoError(t, f.Close())
			got := recordTrace(t, path, ids)

			name := filepath.Join("../expert/testdata", shape+".trace.gz")
			if *updateTraces {
				var b bytes.Buffer
				z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
				require.NoError(t, err)
				_, err = z.Write(got)
				require.NoError(t, err)
				require.NoError(t, z.Close())
				require.NoError(t, os.WriteFile(name, b.Bytes(), 0o644))
			}
			file, err := os.Open(name)
			require.NoError(t, err)
			defer file.Close()
			z, err := gzip.NewReader(file)
			require.NoError(t, err)
			want, err := io.ReadAll(z)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got), "other experts than recorded")
		})
	}
}
