package moe

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coterie-go/coterie/internal/safetensors"
)

const sample = "testdata/golden/deepseek-v3"

// tamper writes a copy of the sample whose configuration and tensors were changed.
func tamper(t *testing.T, config func(map[string]any), tensor func(*safetensors.TensorData) bool) string {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile(filepath.Join(sample, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	if config != nil {
		config(c)
	}
	if data, err = json.Marshal(c); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(sample)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []safetensors.TensorData
	for _, name := range f.Names() {
		x, _ := f.Tensor(name)
		d := safetensors.TensorData{Name: name, Dtype: x.Dtype, Shape: x.Shape, Data: append([]byte(nil), f.Bytes(x)...)}
		if tensor == nil || tensor(&d) {
			list = append(list, d)
		}
	}
	w, err := os.Create(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if err := safetensors.Write(w, nil, list); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestOpenRefuses: each misfit is an error of its kind whose message names the
// thing, what was expected and what was found; several are reported together;
// nothing is left open.
func TestOpenRefuses(t *testing.T) {
	set := func(kv map[string]any) func(map[string]any) {
		return func(c map[string]any) { maps.Copy(c, kv) }
	}
	drop := func(names ...string) func(*safetensors.TensorData) bool {
		return func(d *safetensors.TensorData) bool {
			for _, n := range names {
				if d.Name == n {
					return false
				}
			}
			return true
		}
	}
	for _, c := range []struct {
		name   string
		config func(map[string]any)
		tensor func(*safetensors.TensorData) bool
		is     error
		says   []string
	}{
		{"two tensors missing", nil, drop("model.norm.weight", "model.layers.2.mlp.experts.5.up_proj.weight"), ErrTensor,
			[]string{"model.norm.weight", "model.layers.2.mlp.experts.5.up_proj.weight", "found none"}},
		{"wrong shape", set(map[string]any{"q_lora_rank": 48}), nil, ErrTensor,
			[]string{"model.layers.0.self_attn.q_a_proj.weight", "[48 64]", "[32 64]", "model.layers.2.self_attn.q_b_proj.weight"}},
		{"unknown family", set(map[string]any{"architectures": []string{"ParrotForCausalLM"}}), nil, ErrFamily, []string{"ParrotForCausalLM", "DeepseekV3ForCausalLM"}},
		{"more chosen than there are", set(map[string]any{"num_experts_per_tok": 9}), nil, ErrConfig, []string{"TopK", "9", "8"}},
		{"groups that do not divide", set(map[string]any{"n_group": 3}), nil, ErrConfig, []string{"Groups", "3", "8"}},
		{"more groups kept than there are", set(map[string]any{"topk_group": 5}), nil, ErrConfig, []string{"TopGroups", "5"}},
		{"no layers", set(map[string]any{"num_hidden_layers": 0}), nil, ErrConfig, []string{"layers", "found 0"}},
		{"a text for a number", set(map[string]any{"hidden_size": "many"}), nil, ErrConfig, []string{"hidden_size", "a number", "many"}},
		{"a huge number", set(map[string]any{"vocab_size": 1e15}), nil, ErrConfig, []string{"vocab_size", "1e+15"}},
		{"another way of quantising", set(map[string]any{"quantization_config": map[string]any{"quant_method": "gptq"}}), nil, ErrConfig, []string{"quant_method", "gptq"}},
		{"another kind of scaling", set(map[string]any{"rope_parameters": map[string]any{"rope_type": "spiral"}}), nil, ErrConfig, []string{"rope_type", "spiral"}},
		{"integers for weights", nil, func(d *safetensors.TensorData) bool {
			if d.Name == "lm_head.weight" {
				d.Dtype = "I16"
			}
			return true
		}, ErrTensor, []string{"lm_head.weight", "I16"}},
		{"a norm that is not a number", nil, func(d *safetensors.TensorData) bool {
			if d.Name == "model.norm.weight" {
				d.Data[6], d.Data[7] = 0xc0, 0x7f
			}
			return true
		}, ErrNumber, []string{"model.norm.weight", "value 3", "NaN"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tamper(t, c.config, c.tensor)
			goroutines := runtime.NumGoroutine()
			m, err := Open(dir)
			if err == nil {
				m.Close()
				t.Fatal("opened")
			}
			if !errors.Is(err, c.is) {
				t.Errorf("%v: want %v", err, c.is)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%v: does not say %q", err, s)
				}
			}
			if n := runtime.NumGoroutine(); n > goroutines {
				t.Errorf("%d goroutines, %d before", n, goroutines)
			}
			if maps, err := os.ReadFile("/proc/self/maps"); err == nil && strings.Contains(string(maps), dir) {
				t.Error("still mapped")
			}
		})
	}
	for _, path := range []string{"testdata/nothing", t.TempDir(), "golden_test.go"} {
		if _, err := Open(path); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestForwardRefuses(t *testing.T) {
	m, err := Open(sample)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Open(sample)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ctx := context.Background()
	s := m.NewState()
	for _, c := range []struct {
		name  string
		state *State
		ids   []int32
		is    error
		says  []string
	}{
		{"id beyond the vocabulary", s, []int32{1, 384}, ErrToken, []string{"token 1", "383", "384"}},
		{"negative id", s, []int32{-1}, ErrToken, []string{"-1"}},
		{"no token", s, nil, ErrToken, []string{"none"}},
		{"too long", s, make([]int32, 513), ErrContext, []string{"512", "513"}},
		{"another model's state", other.NewState(), []int32{1}, ErrState, nil},
		{"no state", nil, []int32{1}, ErrState, nil},
	} {
		_, err := m.Forward(ctx, c.state, c.ids)
		if !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %v", c.name, err, c.is)
			continue
		}
		for _, says := range c.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v: does not say %q", c.name, err, says)
			}
		}
	}
	if s.Len() != 0 {
		t.Errorf("refused tokens were processed: %d", s.Len())
	}
	if _, err := m.Forward(ctx, s, make([]int32, 512)); err != nil {
		t.Errorf("the whole context: %v", err)
	}
	if _, err := m.Forward(ctx, s, []int32{1}); !errors.Is(err, ErrContext) {
		t.Errorf("one more: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := m.Forward(cancelled, m.NewState(), []int32{1}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := m.Forward(ctx, s, []int32{1}); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestNotANumber: weights that lead to infinities are reported with the layer.
func TestNotANumber(t *testing.T) {
	dir := tamper(t, nil, func(d *safetensors.TensorData) bool {
		if d.Name == "model.layers.1.self_attn.o_proj.weight" {
			for i := 0; i < len(d.Data); i += 2 {
				d.Data[i], d.Data[i+1] = 0x80, 0x7f // +Inf in bf16
			}
		}
		return true
	})
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_, err = m.Forward(context.Background(), m.NewState(), []int32{5, 6, 7})
	if !errors.Is(err, ErrNumber) || !strings.Contains(err.Error(), "layer 1 ") {
		t.Fatalf("%v: want %v of layer 1", err, ErrNumber)
	}
}

// TestCloseWaits: Close lets running calls finish, later ones fail.
func TestCloseWaits(t *testing.T) {
	m, err := Open(sample)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 4)
	for range 4 {
		go func() {
			for {
				if _, err := m.Forward(context.Background(), m.NewState(), make([]int32, 100)); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	time.Sleep(20 * time.Millisecond)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Errorf("%v, want %v", err, ErrClosed)
		}
	}
}
