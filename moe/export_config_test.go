package moe

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/quant"
)

// TestExportConfig writes the configurations of published models in GGUF's words
// and reads them back: nothing of what the forward pass depends on may be lost.
func TestExportConfig(t *testing.T) {
	paths, err := filepath.Glob("testdata/configs/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			hub, _, err := readHubConfig(path)
			require.NoError(t, err)
			got, want := throughGGUF(t, hub), hub.config

			// The tokenizer and the output matrix say these; the name is for display.
			want.Family, want.TiedOutput, want.BOS, want.EOS = got.Family, got.TiedOutput, got.BOS, got.EOS
			if want.DenseFF == 0 {
				want.DenseFF = got.DenseFF // which no layer has
			}
			// Rows of matrices change places in the file, see the family's fields.
			want.RoPE.Pairs = want.RoPE.Pairs || hub.family.reordered
			if hub.family.tiled {
				delta := *want.Delta
				delta.Tiled, want.Delta = true, &delta
			}
			// Scaling may be spelled as factors, or be absent: what counts is the result.
			a, b := want.RoPE.frequencies(), got.RoPE.frequencies()
			require.Len(t, b, len(a))
			for i := range a {
				assert.InEpsilon(t, a[i], b[i], 1e-6, "frequency %d", i)
			}
			if want.RoPE.Scaling.Kind == NoScaling || want.RoPE.Scaling.Kind == Llama3 {
				assert.Zero(t, want.RoPE.Scaling.Magnitude)
				assert.Zero(t, got.RoPE.Scaling.Magnitude)
				want.RoPE.Scaling, want.RoPE.Factors = got.RoPE.Scaling, got.RoPE.Factors
			}
			assert.Equal(t, want, got)
		})
	}
}

// throughGGUF returns a configuration as it is after a file of it, without the
// matrices, has been written and read.
func throughGGUF(t *testing.T, hub *checkpoint) Config {
	x := &exporter{checkpoint: hub, ctx: t.Context(), w: gguf.NewWriter()}
	require.NoError(t, x.hubKeys())
	require.NoError(t, x.factors())
	if hub.config.QKNorm == HeadQKNorm { // some families' files say so by a tensor
		x.floats("blk.0.attn_q_norm.weight", make([]float32, hub.config.HeadDim))
	}
	path := filepath.Join(t.TempDir(), "keys.gguf")
	f, err := os.Create(path)
	require.NoError(t, err)
	_, err = x.w.WriteTo(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	g, err := gguf.Open(path, quant.SizeOf)
	require.NoError(t, err)
	back, err := newGGUF(path, g)
	require.NoError(t, err)
	require.NoError(t, back.close())
	return back.config
}

// TestExportLongRoPE: a checkpoint with two sets of factors gives the same logits
// from GGUF, whichever of them its context chooses, and the file holds both.
func TestExportLongRoPE(t *testing.T) {
	const golden = "testdata/golden/phimoe"
	short, long := make([]float64, 8), make([]float64, 8)
	for i := range short {
		short[i], long[i] = 1+float64(i)/8, 1.5+float64(i*i)/4
	}
	var logits [2][]float32
	for i, original := range []int{512, 128} {
		dir := t.TempDir()
		edited(t, golden, dir, map[string]any{
			"rope_parameters": map[string]any{
				"rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": original,
				"short_factor": short, "long_factor": long, "short_mscale": 1.25, "long_mscale": 1.5,
			},
		})
		path := filepath.Join(dir, "long.gguf")
		export(t, dir, path)
		logits[i] = lastLogits(t, path)
		assert.Equal(t, lastLogits(t, dir), logits[i], "original context %d", original)

		f, err := gguf.Open(path, quant.SizeOf)
		require.NoError(t, err)
		for _, set := range []string{"long", "short"} {
			_, ok := f.Tensor("rope_factors_" + set + ".weight")
			assert.True(t, ok, set)
		}
		require.NoError(t, f.Close())
	}
	assert.NotEqual(t, logits[0], logits[1])
}

// TestExportLayers: GGUF says by periods and counts what the hub says layer by layer.
// What fits gives the same logits, and others than before; the rest is an error and not another model.
func TestExportLayers(t *testing.T) {
	full, sliding, chunked := "full_attention", "sliding_attention", "chunked_attention"
	for _, c := range []struct {
		name, from string
		edit       map[string]any
		fits       bool
	}{
		{"a window", "mixtral", map[string]any{"sliding_window": 4}, true},
		{"neither chunks nor layers without rotation", "llama4", map[string]any{"no_rope_layers": []int{1, 1, 1, 1}, "layer_types": []string{full, full, full, full}}, true},
		{"a period of 2", "llama4", map[string]any{"no_rope_layers": []int{1, 0, 1, 0}, "layer_types": nil, "attention_chunk_size": 3}, true},
		{"chunks everywhere", "llama4", map[string]any{"no_rope_layers": []int{1, 1, 1, 1}, "layer_types": nil, "attention_chunk_size": 5}, true},
		{"no norm, another temperature", "llama4", map[string]any{"use_qk_norm": false, "attn_scale": 0.3, "floor_scale": 2}, true},
		{"rotation without a period", "llama4", map[string]any{"no_rope_layers": []int{1, 0, 0, 1}, "layer_types": nil}, false},
		{"chunks with another period than rotation", "llama4", map[string]any{"layer_types": []string{chunked, full, chunked, full}}, false},
		{"routing without a period", "llama4", map[string]any{"moe_layers": []int{0, 1, 3}}, false},
		{"windows in some layers", "qwen3-moe", map[string]any{"use_sliding_window": true, "sliding_window": 4, "layer_types": []string{full, sliding}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			edited(t, filepath.Join("testdata/golden", c.from), dir, c.edit)
			path := filepath.Join(dir, "layers.gguf")
			if c.fits {
				export(t, dir, path)
				// Files that hold a matrix turned, or its rows in another order, sum in another.
				got := lastLogits(t, path)
				assert.InDeltaSlice(t, lastLogits(t, dir), got, 1e-5)
				furthest := 0.0
				for i, v := range lastLogits(t, filepath.Join("testdata/golden", c.from)) {
					furthest = max(furthest, math.Abs(float64(v-got[i])))
				}
				assert.Greater(t, furthest, 1e-2, "the edit changes nothing")
				return
			}
			assert.ErrorIs(t, ExportGGUF(t.Context(), io.Discard, dir, Export{}), ErrConfig)
		})
	}
}

func TestRoutedLayers(t *testing.T) {
	for _, c := range []struct {
		layers     string // r for those with routing
		lead, step int
	}{
		{"rrrr", 0, 1}, {"drrr", 1, 1}, {"ddrr", 2, 1}, {"drdr", 1, 2}, {"dddrdr", 3, 2}, {"ddrddr", 2, 3}, {"ddddr", 4, 1},
	} {
		var layers []LayerConfig
		for _, l := range c.layers {
			layers = append(layers, LayerConfig{Dense: l == 'd'})
		}
		lead, step := routedLayers(layers)
		assert.Equal(t, c.step, step, c.layers)
		assert.Equal(t, c.lead, lead, c.layers)
		back := Config{Layers: make([]LayerConfig, len(layers))}
		denseLayers(&back, lead, step, nil)
		assert.Equal(t, layers, back.Layers, c.layers)
	}
}

// edited copies a hub checkpoint with other values in its configuration.
func edited(t *testing.T, from, to string, edit map[string]any) {
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		require.NoError(t, err)
		if name == "config.json" {
			var m map[string]any
			require.NoError(t, json.Unmarshal(data, &m))
			for k, v := range edit {
				m[k] = v
			}
			data, err = json.Marshal(m)
			require.NoError(t, err)
		}
		require.NoError(t, os.WriteFile(filepath.Join(to, name), data, 0o644))
	}
}

func export(t *testing.T, hub, path string) {
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, ExportGGUF(context.Background(), f, hub, Export{FileType: 32}))
	require.NoError(t, f.Close())
}

func lastLogits(t *testing.T, path string) []float32 {
	m, err := Open(path)
	require.NoError(t, err)
	defer m.Close()
	logits, err := m.Forward(context.Background(), m.NewState(), []int32{5, 80, 17, 200, 3, 91, 45, 120})
	require.NoError(t, err)
	require.False(t, math.IsNaN(float64(logits[0])))
	return append([]float32(nil), logits...)
}
