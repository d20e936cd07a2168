package moe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/tokenizer"
	"github.com/coterie-go/coterie/quant"
	"github.com/stretchr/testify/require"
)

// remake writes a GGUF file again with other metadata and tensors. A tensor whose
// shape becomes nil is left out; where a shape grows, zeros are appended.
func remake(t testing.TB, data []byte, kv map[string]any, shape func(name string, old []uint64) []uint64) []byte {
	f, err := gguf.FromBytes(data, quant.SizeOf)
	require.NoError(t, err)
	w, all := gguf.NewWriter(), maps.Clone(f.KV())
	maps.Copy(all, kv)
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if all[k] != nil {
			w.SetKV(k, all[k])
		}
	}
	for _, x := range f.Tensors() {
		dims, body := x.Shape, f.Bytes(x)
		if shape != nil {
			dims = shape(x.Name, x.Shape)
		}
		if dims == nil {
			continue
		}
		per, size, _ := quant.SizeOf(x.Type)
		n := uint64(1)
		for _, d := range dims {
			n *= d
		}
		body = append(slices.Clone(body), make([]byte, int(n)/per*size)...)[:int(n)/per*size]
		w.AddTensor(x.Name, x.Type, dims, int64(len(body)), func(w io.Writer) error {
			_, err := w.Write(body)
			return err
		})
	}
	var out bytes.Buffer
	_, err = w.WriteTo(&out)
	require.NoError(t, err)
	return out.Bytes()
}

// A case for every advisory against other engines whose cause lies not in the
// container (those are internal/gguf's and internal/safetensors' own tests) but in
// what a model makes of metadata, shapes, token ids and calls; and for each item of
// the kind that has no number.
func TestAdvisories(t *testing.T) {
	small, err := os.ReadFile("testdata/golden/gguf/deepseek-v3.gguf")
	require.NoError(t, err)
	set := func(kv ...any) []byte {
		m := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			key := kv[i].(string)
			if !strings.Contains(key, "tokenizer.") && !strings.Contains(key, "general.") {
				key = "deepseek2." + key
			}
			m[key] = kv[i+1]
		}
		return remake(t, small, m, nil)
	}
	reshape := func(name string, to ...uint64) []byte {
		return remake(t, small, nil, func(n string, old []uint64) []uint64 {
			if n == name {
				return to
			}
			return old
		})
	}
	vocab := make([]string, 384)
	for i := range vocab {
		vocab[i] = strings.Repeat("x", i+1)
	}
	same, err := moe.OpenBytes(remake(t, small, nil, nil), moe.WithThreads(1))
	require.NoError(t, err, "unchanged")
	defer same.Close()

	type bad struct {
		name string
		data []byte
		is   error
		says string
	}
	for _, c := range []bad{
		{"Ollama CVE-2024-8063: block_count a string", set("block_count", "3"), moe.ErrConfig, "block_count"},
		{"Ollama CVE-2024-8063: block_count a float", set("block_count", float32(2.5)), moe.ErrConfig, "block_count"},
		{"Ollama CVE-2024-8063: block_count an array", set("block_count", []uint32{3}), moe.ErrConfig, "block_count"},
		{"Ollama CVE-2024-8063: block_count 0", set("block_count", uint32(0)), moe.ErrConfig, "found 0"},
		{"Ollama CVE-2024-8063: head_count 0", set("attention.head_count", uint32(0)), moe.ErrConfig, "found 0"},
		{"llama.cpp 25821: block_count above 512", set("block_count", uint32(1<<16)), moe.ErrTensor, "blk.3."},
		{"llama.cpp 26051: block_count of 513, tensors of 3", set("block_count", uint32(513)), moe.ErrTensor, "blk.3."},
		{"block_count -1", set("block_count", int32(-1)), moe.ErrConfig, "layers: want 1 to 4096"},
		{"CVE-2025-49847: a token of 2^20 bytes", set("tokenizer.ggml.tokens", append([]string{strings.Repeat("y", 1<<20)}, vocab[1:]...), "tokenizer.ggml.merges", []string{}), nil, "1048576 bytes long"},
		{"Ollama CVE-2025-0312: no dimension for the experts", reshape("blk.1.ffn_up_exps.weight", 64, 256), moe.ErrTensor, "blk.1.ffn_up_exps.weight"},
		{"Ollama CVE-2025-1975: no tensors", remake(t, small, nil, func(string, []uint64) []uint64 { return nil }), moe.ErrTensor, "token_embd.weight"},
		{"no embedding", remake(t, small, nil, func(n string, old []uint64) []uint64 {
			if n == "token_embd.weight" {
				return nil
			}
			return old
		}), moe.ErrTensor, "token_embd.weight"},
		{"no architecture", set("general.architecture", nil), moe.ErrFamily, ""},
		{"architecture a number", set("general.architecture", uint32(1)), moe.ErrConfig, "general.architecture"},
		{"architecture of 64 kB", set("general.architecture", strings.Repeat("a", 1<<10)), moe.ErrFamily, "aaa"},
		{"no experts, and tensors of experts", set("expert_count", uint32(0)), moe.ErrTensor, "blk.1.ffn_gate.weight"},
		{"more experts than there are", set("expert_count", uint32(9)), moe.ErrConfig, "9"},
		{"experts -1", set("expert_count", int32(-1)), moe.ErrConfig, "Experts: want 1 to"},
		{"experts 2^32-1", set("expert_count", uint32(math.MaxUint32)), moe.ErrConfig, "expert_count: want a whole number"},
		{"more chosen than there are", set("expert_used_count", uint32(9)), moe.ErrConfig, "9"},
		{"none chosen", set("expert_used_count", uint32(0)), moe.ErrConfig, "0"},
		{"groups that do not divide", set("expert_group_count", uint32(3)), moe.ErrConfig, "3"},
		{"more groups kept than there are", set("expert_group_used_count", uint32(5)), moe.ErrConfig, "5"},
		{"groups too small for what is chosen", set("expert_group_used_count", uint32(1)), moe.ErrConfig, ""},
		{"scale not a number", set("expert_weights_scale", float32(math.NaN())), moe.ErrConfig, "Scale: want 0 to"},
		{"scale infinite", set("expert_weights_scale", float32(math.Inf(1))), moe.ErrConfig, "found +Inf"},
		{"epsilon not a number", set("attention.layer_norm_rms_epsilon", float32(math.NaN())), moe.ErrConfig, "norm epsilon"},
		{"frequency base 0", set("rope.freq_base", float32(0)), moe.ErrConfig, ""},
		{"context of 0", set("context_length", uint32(0)), moe.ErrConfig, "0"},
		{"width 0", set("embedding_length", uint32(0)), moe.ErrConfig, "hidden size: want 1 to"},
		{"width 2^31", set("embedding_length", uint32(1<<31)), moe.ErrConfig, "2147483648"},
		{"gating function unknown", set("expert_gating_func", uint32(99)), moe.ErrFamily, "expert_gating_func"},
		{"more dense layers than layers", set("leading_dense_block_count", uint32(4)), moe.ErrTensor, "blk.1.ffn_gate.weight"},
		{"rotated part above the head", set("rope.dimension_count", uint32(64)), moe.ErrConfig, "64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := moe.OpenBytes(c.data, moe.WithThreads(1))
			if c.is == nil { // the tokenizer's matter
				require.NoError(t, err)
				defer m.Close()
				_, err = m.Tokenizer()
				require.ErrorIs(t, err, tokenizer.ErrFormat)
				require.ErrorContains(t, err, c.says)
				return
			}
			if err == nil {
				m.Close()
			}
			if text := fmt.Sprint(err); !errors.Is(err, c.is) || !strings.Contains(text, c.says) || len(text) > 20_000 {
				t.Errorf("%.300s: want %v with %q", text, c.is, c.says)
			}
		})
	}

	// each tensor of a layer with experts, with a dimension more or less in each place
	f, err := gguf.FromBytes(small, quant.SizeOf)
	require.NoError(t, err)
	for _, x := range f.Tensors() {
		if !strings.HasPrefix(x.Name, "blk.1.") {
			continue
		}
		for d := range x.Shape {
			for _, n := range []uint64{x.Shape[d] - 1, x.Shape[d] + 1, 2 * x.Shape[d]} {
				to := slices.Clone(x.Shape)
				to[d] = n
				m, err := moe.OpenBytes(reshape(x.Name, to...), moe.WithThreads(1))
				if err == nil {
					m.Close()
				}
				require.ErrorIs(t, err, moe.ErrTensor, "%s %v", x.Name, to)
				require.ErrorContains(t, err, x.Name)
			}
		}
	}

	// GHSA-g4cc-763q-h9h6, CVE-2025-52566: token ids beyond the vocabulary, the
	// tokenizer's and the model's
	for _, key := range []string{"bos_token_id", "eos_token_id", "eot_token_id", "padding_token_id", "unknown_token_id"} {
		for _, id := range []any{uint32(384), uint32(1 << 31), uint32(math.MaxUint32), int32(-1), uint64(1) << 40} {
			m, err := moe.OpenBytes(set("tokenizer.ggml."+key, id), moe.WithThreads(1))
			if err != nil {
				require.ErrorIs(t, err, moe.ErrConfig, "%s %v", key, id)
				continue
			}
			if cfg := m.Config(); key == "bos_token_id" && int(cfg.BOS) >= cfg.Vocab {
				_, err = m.Forward(context.Background(), m.NewState(), []int32{cfg.BOS})
				require.ErrorIs(t, err, moe.ErrToken)
			}
			tok, err := m.Tokenizer()
			if err != nil {
				require.ErrorIs(t, err, tokenizer.ErrFormat)
				require.ErrorContains(t, err, key)
			} else { // a key that this kind has no use for
				require.NotContains(t, []string{"bos_token_id", "eos_token_id", "eot_token_id"}, key, "%v", id)
				for _, id := range tok.Encode("a b \xff", true, true) {
					require.Less(t, int(id), m.Config().Vocab)
				}
			}
			m.Close()
		}
	}
	more := set("tokenizer.ggml.tokens", append(slices.Clone(f.KV()["tokenizer.ggml.tokens"].([]string)), "far"), "tokenizer.ggml.token_type",
		append(slices.Clone(f.KV()["tokenizer.ggml.token_type"].([]int32)), 3))
	m, err := moe.OpenBytes(more, moe.WithThreads(1))
	require.NoError(t, err)
	defer m.Close()
	tok, err := m.Tokenizer()
	require.NoError(t, err)
	_, err = m.Forward(context.Background(), m.NewState(), tok.Encode("far", false, true))
	require.ErrorIs(t, err, moe.ErrToken, "a token that the tokenizer has and the model has not")
	for tk, err := range m.Generate(context.Background(), m.NewState(), "far", moe.Sampling{MaxTokens: 1}) {
		require.ErrorIs(t, err, moe.ErrToken, "%v", tk)
	}

	// CVE-2026-21869: a negative number of tokens to discard
	s := m.NewState()
	_, err = m.Forward(context.Background(), s, []int32{1, 2, 3})
	require.NoError(t, err)
	for _, n := range []int{-1, math.MinInt, 4, math.MaxInt} {
		require.ErrorIs(t, s.Truncate(n), moe.ErrState)
		require.Equal(t, 3, s.Len())
	}
}
