package moe

import "github.com/coterie-go/coterie/router"

// Hunyuan V1, with experts: queries and keys are normed after they are turned.
var hunyuan = family{
	name: "hunyuan-v1-moe",
	hub:  []string{"HunYuanMoEV1ForCausalLM"},
	gguf: []string{"hunyuan-moe"},
	readHub: func(k keys, c *Config) {
		hunyuanBehaviour(c)
		c.Router.TopK = k.same("moe_topk", 1)
		c.ExpertFF = k.same("moe_intermediate_size", c.DenseFF)
		c.SharedFF = c.DenseFF * k.same("num_shared_expert", 1)
	},
	readGGUF: func(k keys, c *Config) {
		hunyuanBehaviour(c)
		c.SharedFF = k.int("expert_shared_feed_forward_length", c.DenseFF)
	},
	names: map[string]string{
		"attn_q_norm.weight":    "model.layers.{l}.self_attn.query_layernorm.weight",
		"attn_k_norm.weight":    "model.layers.{l}.self_attn.key_layernorm.weight",
		"ffn_gate_inp.weight":   "model.layers.{l}.mlp.gate.wg.weight",
		"ffn_gate_shexp.weight": "model.layers.{l}.mlp.shared_mlp.gate_proj.weight",
		"ffn_up_shexp.weight":   "model.layers.{l}.mlp.shared_mlp.up_proj.weight",
		"ffn_down_shexp.weight": "model.layers.{l}.mlp.shared_mlp.down_proj.weight",
	},
}

func hunyuanBehaviour(c *Config) {
	c.QKNorm, c.LateQKNorm = HeadQKNorm, true
	c.Router.Score, c.Router.Normalize, c.Router.Scale = router.Softmax, true, 1
}
