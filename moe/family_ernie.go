package moe

import "github.com/coterie-go/coterie/router"

// ERNIE 4.5, with experts: softmax scores, chosen with a bias.
var ernie45 = family{
	name: "ernie4.5-moe",
	hub:  []string{"Ernie4_5_MoeForCausalLM", "Ernie4_5_MoEForCausalLM"},
	gguf: []string{"ernie4_5-moe"},
	readHub: func(k keys, c *Config) {
		c.RoPE.Pairs = true
		r := &c.Router
		r.Experts, r.TopK = k.need("moe_num_experts"), k.need("moe_k")
		r.Score, r.Normalize, r.NormMin, r.Scale = router.Softmax, true, k.float("moe_norm_min", 1e-12), 1
		c.ExpertFF = k.need("moe_intermediate_size")
		c.SharedFF = k.int("moe_num_shared_experts", 0) * c.ExpertFF
		first, last := k.int("moe_layer_start_index", 1), k.int("moe_layer_end_index", -1)
		if last < 0 {
			last += len(c.Layers)
		}
		denseLayers(c, first, k.int("moe_layer_interval", 1), nil)
		for i := range c.Layers {
			c.Layers[i].Dense = c.Layers[i].Dense || i > last
		}
	},
	readGGUF: func(k keys, c *Config) {
		c.RoPE.Pairs = true
		c.Router.Score, c.Router.Normalize, c.Router.NormMin = router.Softmax, true, 1e-12
		// By the count: llama.cpp's converter takes expert_shared_feed_forward_length
		// from numbers that only happen to give it.
		c.SharedFF = k.int("expert_shared_count", 0) * c.ExpertFF
	},
	names: map[string]string{
		"exp_probs_b.bias": "model.layers.{l}.mlp.moe_statics.e_score_correction_bias",
	},
}
