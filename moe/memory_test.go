package moe_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
	"github.com/stretchr/testify/require"
)

// TestHostileMemory opens checkpoints that claim, or are, as much as they can. Each
// is an error; all that is allocated on the way, collected or not, is at most four
// times the size of the files and 16 MB; and time grows with the size.
func TestHostileMemory(t *testing.T) {
	config := func(family string, changes map[string]any) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			require.NoError(t, moetest.WriteRandom(dir, family, 1))
			path := filepath.Join(dir, "config.json")
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			var c map[string]any
			require.NoError(t, json.Unmarshal(data, &c))
			maps.Copy(c, changes)
			data, err = json.Marshal(c)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, data, 0o644))
		}
	}
	raw := func(name, text string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			require.NoError(t, moetest.WriteRandom(dir, "deepseek-v3", 1))
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
		}
	}
	list := func(n int, item string) string {
		return "[" + strings.Repeat(item+",", n-1) + item + "]"
	}
	numbers := func(n int) string {
		var b strings.Builder
		b.WriteString("[0")
		for i := range n {
			fmt.Fprintf(&b, ",%d", i)
		}
		return b.String() + "]"
	}
	for name, write := range map[string]func(t *testing.T, dir string){
		"layers":  config("deepseek-v3", map[string]any{"num_hidden_layers": 1 << 30}),
		"experts": config("deepseek-v3", map[string]any{"n_routed_experts": 1 << 14, "n_group": 1, "topk_group": 1}),
		"both":    config("olmoe", map[string]any{"num_hidden_layers": 1 << 12, "num_experts": 1 << 14}),
		"chosen":  config("olmoe", map[string]any{"num_experts": 1 << 14, "num_experts_per_tok": 1 << 14}),
		"vocabulary and width": config("gpt-oss", map[string]any{
			"vocab_size": 1 << 24, "hidden_size": 1 << 20, "num_attention_heads": 1 << 14, "num_local_experts": 1 << 14}),
		"everything": config("qwen3-next", map[string]any{
			"vocab_size": 1 << 30, "hidden_size": 1 << 30, "num_attention_heads": 1 << 30, "num_experts": 1 << 30, "max_position_embeddings": 1 << 30,
			"linear_num_key_heads": 1 << 30, "linear_num_value_heads": 1 << 30, "linear_conv_kernel_dim": 1 << 30, "moe_intermediate_size": 1 << 30}),
		"indexer":        config("deepseek-v3.2", map[string]any{"index_topk": 1 << 30, "index_n_heads": 1 << 30}),
		"list":           raw("config.json", `{"architectures":["OlmoeForCausalLM"],"x":`+list(8<<20, "0")+"}"),
		"list of texts":  raw("config.json", `{"architectures":["OlmoeForCausalLM"],"eos_token_id":`+list(300_000, `""`)+"}"),
		"objects":        raw("config.json", `{"architectures":["OlmoeForCausalLM"],"x":`+list(1<<20, `{"":[]}`)+"}"),
		"depth":          raw("config.json", `{"architectures":["OlmoeForCausalLM"],"x":`+strings.Repeat("[", 4<<20)),
		"architectures":  raw("config.json", `{"architectures":`+list(300_000, `"x"`)+"}"),
		"ends":           raw("generation_config.json", `{"eos_token_id":`+numbers(1<<20)+"}"),
		"template":       raw("tokenizer_config.json", `{"chat_template":`+list(1<<20, `{"name":"x","template":""}`)+"}"),
		"index":          raw("model.safetensors.index.json", `{"weight_map":{`+strings.Repeat(`"a":"model.safetensors",`, 1<<18)+`"b":"model.safetensors"}}`),
		"sparse":         raw("model.safetensors", "\xff\xff\xff\xff\xff\xff\xff\x7f"),
		"index, shards":  shards(20_000),
		"another family": raw("config.json", `{"architectures":[],"text_config":`+list(1<<20, "0")+"}"),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir)
			size := int64(0)
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			for _, e := range entries {
				info, err := e.Info()
				require.NoError(t, err)
				size += info.Size()
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			m, err := moe.Open(dir, moe.WithThreads(1))
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if err == nil { // harmless, then
				m.Close()
			}
			got := int64(after.TotalAlloc - before.TotalAlloc)
			text := fmt.Sprint(err)
			t.Logf("%.1f MB for %.1f MB in %v: %.200s", float64(got)/(1<<20), float64(size)/(1<<20), took, text)
			if limit := 4*size + 16<<20; got > limit {
				t.Errorf("%d bytes for files of %d, want at most %d", got, size, limit)
			}
			if took > 3*time.Second {
				t.Errorf("took %v", took)
			}
			if len(text) > 1<<20 {
				t.Errorf("an error of %d bytes", len(text))
			}
		})
	}
}

// shards writes an index that names n files, which are not there.
func shards(n int) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		require.NoError(t, moetest.WriteRandom(dir, "deepseek-v3", 1))
		require.NoError(t, os.Remove(filepath.Join(dir, "model.safetensors")))
		var b strings.Builder
		b.WriteString(`{"weight_map":{`)
		for i := range n {
			fmt.Fprintf(&b, `"t%d":"model-%05d-of-%05d.safetensors",`, i, i, n)
		}
		b.WriteString(`"z":"z.safetensors"}}`)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(b.String()), 0o644))
	}
}
