package moe

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-go/coterie/internal/safetensors"
)

// rewrite writes the hub checkpoint at dir anew, its configuration and its tensors
// changed, and returns where. Tensors whose name becomes empty are left out.
func rewrite(t *testing.T, dir string, config func(map[string]any) map[string]any, name func(string) string, more ...safetensors.TensorData) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	if data, err = json.Marshal(config(c)); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "config.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tensors := more
	for _, n := range f.Names() {
		x, _ := f.Tensor(n)
		if to := name(n); to != "" {
			tensors = append(tensors, safetensors.TensorData{Name: to, Dtype: x.Dtype, Shape: x.Shape, Data: f.Bytes(x)})
		}
	}
	w, err := os.Create(filepath.Join(out, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if err := safetensors.Write(w, nil, tensors); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestInnerText: the text part of a checkpoint for more than text is found
// wherever such checkpoints keep it, and computes the same.
func TestInnerText(t *testing.T) {
	for _, c := range []struct{ dir, wrapper, model, head string }{
		{"llama4", "Llama4ForConditionalGeneration", "language_model.model.", "language_model.lm_head."},
		{"qwen3.5-moe", "Qwen3_5MoeForConditionalGeneration", "model.language_model.", "lm_head."},
		{"qwen3-moe", "SomethingForConditionalGeneration", "language_model.model.", "language_model.lm_head."},
	} {
		dir := filepath.Join("testdata", "golden", c.dir)
		wrapped := rewrite(t, dir, func(inner map[string]any) map[string]any {
			outer := map[string]any{
				"architectures": []string{c.wrapper}, "text_config": inner, "vision_config": map[string]any{"hidden_size": 1},
				"hidden_size": 7, "tie_word_embeddings": inner["tie_word_embeddings"],
			}
			delete(inner, "tie_word_embeddings")
			return outer
		}, func(n string) string {
			if rest, ok := strings.CutPrefix(n, "model."); ok {
				return c.model + rest
			}
			return c.head + strings.TrimPrefix(n, "lm_head.")
		}, safetensors.TensorData{Name: "vision_tower.weight", Dtype: "F32", Shape: []int64{1}, Data: make([]byte, 4)})
		w := readWant(t, filepath.Join(dir, "golden.safetensors"))
		var logits [2][]float32
		for i, path := range []string{dir, wrapped} {
			m, err := Open(path, WithThreads(2))
			if err != nil {
				t.Fatal(err)
			}
			if logits[i], err = m.ForwardAll(context.Background(), m.NewState(), w.ids); err != nil {
				t.Fatal(err)
			}
			m.Close()
		}
		sameBits(t, c.dir, logits[1], logits[0])
	}
}

// TestExpertsTogether: experts that a family may store one by one or together
// compute the same either way.
func TestExpertsTogether(t *testing.T) {
	const dir = "testdata/golden/qwen3.5-moe"
	ck, err := openCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.close()
	c := ck.config
	var more []safetensors.TensorData
	for l := range c.Layers {
		var both, down []byte
		part := func(dst *[]byte, role string, e int) {
			v, ok, err := ck.find(ck.name(role, l, e))
			if !ok || err != nil {
				t.Fatal(role, ok, err)
			}
			*dst = append(*dst, v.data...)
		}
		for e := range c.Router.Experts {
			part(&both, "ffn_gate_exps.weight", e)
			part(&both, "ffn_up_exps.weight", e)
			part(&down, "ffn_down_exps.weight", e)
		}
		n, ff, dim := int64(c.Router.Experts), int64(c.ExpertFF), int64(c.Dim)
		more = append(more,
			safetensors.TensorData{Name: ck.name("ffn_gate_up_exps.weight", l, 0), Dtype: "BF16", Shape: []int64{n, 2 * ff, dim}, Data: both},
			safetensors.TensorData{Name: ck.name("ffn_down_stack.weight", l, 0), Dtype: "BF16", Shape: []int64{n, dim, ff}, Data: down})
	}
	together := rewrite(t, dir, func(c map[string]any) map[string]any { return c }, func(n string) string {
		if strings.Contains(n, ".mlp.experts.") {
			return ""
		}
		return n
	}, more...)
	golden(t, together, dir+"/golden.safetensors")
}
