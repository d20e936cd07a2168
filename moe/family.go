package moe

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// family maps one family's configuration and tensor names, in hub and GGUF
// spelling, onto Config. It does nothing else.
type family struct {
	name string
	hub  []string // architectures in config.json
	gguf []string // general.architecture

	// What the family adds to the common reading of the configuration.
	readHub  func(k keys, c *Config)
	readGGUF func(k keys, c *Config)
	// What it adds to the common writing of GGUF, or nil.
	writeGGUF func(c *Config, set func(key string, v any))
	match     func(k keys) bool // tells families that share a GGUF architecture apart

	names     map[string]string // hub names that differ from hubNames
	ggufNames map[string]string // GGUF names that differ from the usual ones
	reordered bool              // GGUF has the rows of queries and keys in another order: pairs as neighbours
	fused     fusedExperts      // how the hub stores gate and up

	tiled        bool // GGUF has the value heads of delta nets in another order, see DeltaConfig.Tiled
	stackedRows  bool // the hub's tensors of all experts have outputs before inputs
	normsFromOne bool // the hub's weights of norms lack a 1
}

// fusedExperts says how a hub checkpoint stores the gates and ups of a layer's
// experts together, if it does.
type fusedExperts uint8

const (
	separate    fusedExperts = iota
	interleaved              // gate and up take turns
	halves                   // all of gate, then all of up
)

// families is the table: a family is a file and a line.
func families() []*family {
	return []*family{
		&deepseekV3, &deepseekV2, &deepseekV32, &mixtral, &olmoe, &qwen2MoE, &qwen3MoE, &gptOSS, &glm4MoE, &minimaxM2,
		&granite, &ernie45, &hunyuan, &dots1, &glm4MoELite, &phiMoE, &llama4, &qwen3Next, &qwen35MoE,
		&llama, &qwen2, &qwen3,
	}
}

// hubNames are the hub's tensor names for the names that GGUF gives them; {l} is
// the layer and {e} the expert. Layers' tensors are named without GGUF's "blk.N.".
var hubNames = map[string]string{
	"token_embd.weight":  "model.embed_tokens.weight",
	"output_norm.weight": "model.norm.weight",
	"output_norm.bias":   "model.norm.bias",
	"output.weight":      "lm_head.weight",
	"output.bias":        "lm_head.bias",

	"attn_norm.weight":   "model.layers.{l}.input_layernorm.weight",
	"attn_norm.bias":     "model.layers.{l}.input_layernorm.bias",
	"attn_q.weight":      "model.layers.{l}.self_attn.q_proj.weight",
	"attn_q.bias":        "model.layers.{l}.self_attn.q_proj.bias",
	"attn_k.weight":      "model.layers.{l}.self_attn.k_proj.weight",
	"attn_k.bias":        "model.layers.{l}.self_attn.k_proj.bias",
	"attn_v.weight":      "model.layers.{l}.self_attn.v_proj.weight",
	"attn_v.bias":        "model.layers.{l}.self_attn.v_proj.bias",
	"attn_output.weight": "model.layers.{l}.self_attn.o_proj.weight",
	"attn_output.bias":   "model.layers.{l}.self_attn.o_proj.bias",
	"attn_q_norm.weight": "model.layers.{l}.self_attn.q_norm.weight",
	"attn_k_norm.weight": "model.layers.{l}.self_attn.k_norm.weight",
	"attn_sinks.weight":  "model.layers.{l}.self_attn.sinks",

	"attn_q_a.weight":       "model.layers.{l}.self_attn.q_a_proj.weight",
	"attn_q_a_norm.weight":  "model.layers.{l}.self_attn.q_a_layernorm.weight",
	"attn_q_b.weight":       "model.layers.{l}.self_attn.q_b_proj.weight",
	"attn_kv_a_mqa.weight":  "model.layers.{l}.self_attn.kv_a_proj_with_mqa.weight",
	"attn_kv_a_norm.weight": "model.layers.{l}.self_attn.kv_a_layernorm.weight",
	"attn_kv_b.weight":      "model.layers.{l}.self_attn.kv_b_proj.weight",

	"indexer.attn_q_b.weight": "model.layers.{l}.self_attn.indexer.wq_b.weight",
	"indexer.attn_k.weight":   "model.layers.{l}.self_attn.indexer.wk.weight",
	"indexer.proj.weight":     "model.layers.{l}.self_attn.indexer.weights_proj.weight",
	"indexer.k_norm.weight":   "model.layers.{l}.self_attn.indexer.k_norm.weight",
	"indexer.k_norm.bias":     "model.layers.{l}.self_attn.indexer.k_norm.bias",

	"attn_qkv.weight":   "model.layers.{l}.linear_attn.in_proj_qkv.weight",
	"attn_gate.weight":  "model.layers.{l}.linear_attn.in_proj_z.weight",
	"ssm_in.weight":     "model.layers.{l}.linear_attn.in_proj_qkvz.weight",
	"ssm_ba.weight":     "model.layers.{l}.linear_attn.in_proj_ba.weight",
	"ssm_alpha.weight":  "model.layers.{l}.linear_attn.in_proj_a.weight",
	"ssm_beta.weight":   "model.layers.{l}.linear_attn.in_proj_b.weight",
	"ssm_conv1d.weight": "model.layers.{l}.linear_attn.conv1d.weight",
	"ssm_dt.bias":       "model.layers.{l}.linear_attn.dt_bias",
	"ssm_a":             "model.layers.{l}.linear_attn.A_log",
	"ssm_norm.weight":   "model.layers.{l}.linear_attn.norm.weight",
	"ssm_out.weight":    "model.layers.{l}.linear_attn.out_proj.weight",

	"ffn_norm.weight": "model.layers.{l}.post_attention_layernorm.weight",
	"ffn_norm.bias":   "model.layers.{l}.post_attention_layernorm.bias",
	"ffn_gate.weight": "model.layers.{l}.mlp.gate_proj.weight",
	"ffn_up.weight":   "model.layers.{l}.mlp.up_proj.weight",
	"ffn_down.weight": "model.layers.{l}.mlp.down_proj.weight",

	"ffn_gate_inp.weight":       "model.layers.{l}.mlp.gate.weight",
	"ffn_gate_inp.bias":         "model.layers.{l}.mlp.gate.bias",
	"exp_probs_b.bias":          "model.layers.{l}.mlp.gate.e_score_correction_bias",
	"ffn_gate_exps.weight":      "model.layers.{l}.mlp.experts.{e}.gate_proj.weight",
	"ffn_up_exps.weight":        "model.layers.{l}.mlp.experts.{e}.up_proj.weight",
	"ffn_down_exps.weight":      "model.layers.{l}.mlp.experts.{e}.down_proj.weight",
	"ffn_gate_shexp.weight":     "model.layers.{l}.mlp.shared_experts.gate_proj.weight",
	"ffn_up_shexp.weight":       "model.layers.{l}.mlp.shared_experts.up_proj.weight",
	"ffn_down_shexp.weight":     "model.layers.{l}.mlp.shared_experts.down_proj.weight",
	"ffn_gate_inp_shexp.weight": "model.layers.{l}.mlp.shared_expert_gate.weight",
}

// sparseBlock is the spelling of the mixture in checkpoints after Mixtral's.
func sparseBlock(more map[string]string) map[string]string {
	m := map[string]string{
		"ffn_gate_inp.weight":  "model.layers.{l}.block_sparse_moe.gate.weight",
		"ffn_gate_exps.weight": "model.layers.{l}.block_sparse_moe.experts.{e}.w1.weight",
		"ffn_up_exps.weight":   "model.layers.{l}.block_sparse_moe.experts.{e}.w3.weight",
		"ffn_down_exps.weight": "model.layers.{l}.block_sparse_moe.experts.{e}.w2.weight",
	}
	for k, v := range more {
		m[k] = v
	}
	return m
}

// familyOfHub returns the family of a config.json.
func familyOfHub(k keys) (*family, error) {
	archs := k.strings("architectures")
	for _, a := range archs {
		for _, f := range families() {
			for _, name := range f.hub {
				if name == a {
					return f, nil
				}
			}
		}
	}
	return nil, fmt.Errorf("%w: architectures: want one of %s, found %v", ErrFamily, known(func(f *family) []string { return f.hub }), archs)
}

// familyOfGGUF returns the family of a GGUF file's architecture.
func familyOfGGUF(arch string, k keys) (*family, error) {
	named := false
	for _, f := range families() {
		if slices.Contains(f.gguf, arch) {
			if named = true; f.match == nil || f.match(k) {
				return f, nil
			}
		}
	}
	if named {
		return nil, fmt.Errorf("%w: general.architecture %q: its other keys, such as expert_gating_func, fit none of the families of that name", ErrFamily, arch)
	}
	return nil, fmt.Errorf("%w: general.architecture: want one of %s, found %q", ErrFamily, known(func(f *family) []string { return f.gguf }), arch)
}

func known(names func(*family) []string) string {
	seen := map[string]bool{}
	var all []string
	for _, f := range families() {
		for _, n := range names(f) {
			if !seen[n] {
				seen[n] = true
				all = append(all, n)
			}
		}
	}
	sort.Strings(all)
	return strings.Join(all, ", ")
}
