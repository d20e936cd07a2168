package moe

import "github.com/coterie-go/coterie/router"

// Qwen2-MoE: a shared expert behind a gate of its own.
var qwen2MoE = family{
	name: "qwen2-moe",
	hub:  []string{"Qwen2MoeForCausalLM"},
	gguf: []string{"qwen2moe"},
	readHub: func(k keys, c *Config) {
		qwenMixture(k, c)
		c.SharedFF, c.SharedGate = k.int("shared_expert_intermediate_size", 0), true
	},
	readGGUF: func(k keys, c *Config) {
		c.Router.Score, c.Router.Normalize = router.Softmax, false
		c.SharedFF, c.SharedGate = k.int("expert_shared_feed_forward_length", c.DenseFF), true
	},
	names: map[string]string{
		"ffn_gate_shexp.weight": "model.layers.{l}.mlp.shared_expert.gate_proj.weight",
		"ffn_up_shexp.weight":   "model.layers.{l}.mlp.shared_expert.up_proj.weight",
		"ffn_down_shexp.weight": "model.layers.{l}.mlp.shared_expert.down_proj.weight",
	},
}

// Qwen3-MoE.
var qwen3MoE = family{
	name: "qwen3-moe",
	hub:  []string{"Qwen3MoeForCausalLM"},
	gguf: []string{"qwen3moe"},
	readHub: func(k keys, c *Config) {
		qwenMixture(k, c)
		c.QKNorm = HeadQKNorm
	},
	readGGUF: func(k keys, c *Config) {
		c.Router.Score, c.Router.Normalize = router.Softmax, true
		c.QKNorm = HeadQKNorm
	},
}

// Qwen2, also R1's distilled models of that name.
var qwen2 = family{
	name:     "qwen2",
	hub:      []string{"Qwen2ForCausalLM"},
	gguf:     []string{"qwen2"},
	readHub:  qwenWindows,
	readGGUF: func(k keys, c *Config) {},
}

// Qwen3, dense.
var qwen3 = family{
	name: "qwen3",
	hub:  []string{"Qwen3ForCausalLM"},
	gguf: []string{"qwen3"},
	readHub: func(k keys, c *Config) {
		qwenWindows(k, c)
		c.QKNorm = HeadQKNorm
	},
	readGGUF: func(k keys, c *Config) { c.QKNorm = HeadQKNorm },
}

func qwenMixture(k keys, c *Config) {
	c.Router.Score = router.Softmax
	denseLayers(c, 0, k.int("decoder_sparse_step", 1), k.ints("mlp_only_layers"))
	qwenWindows(k, c)
}

// qwenWindows: layers from max_window_layers on have a window, if it is in use.
func qwenWindows(k keys, c *Config) {
	if !k.bool("use_sliding_window", false) {
		return
	}
	if k.has("layer_types") {
		hubWindows(k, c)
		return
	}
	for i := k.int("max_window_layers", len(c.Layers)); i >= 0 && i < len(c.Layers); i++ {
		c.Layers[i].Window = k.int("sliding_window", 0)
	}
}
