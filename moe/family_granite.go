package moe

import "github.com/coterie-go/coterie/router"

// Granite 3, with experts: multipliers on the embedding, the residual stream,
// the scores and the logits.
var granite = family{
	name: "granite-moe",
	hub:  []string{"GraniteMoeForCausalLM"},
	gguf: []string{"granitemoe"},
	readHub: func(k keys, c *Config) {
		c.EmbedScale = k.float("embedding_multiplier", 1)
		c.ResidualScale = k.float("residual_multiplier", 1)
		c.AttnScale = k.float("attention_multiplier", 1)
		c.LogitScale = 1 / k.float("logits_scaling", 1)
		c.Router.Score = router.SoftmaxTopK
	},
	readGGUF: func(k keys, c *Config) {
		c.EmbedScale = k.float("embedding_scale", 1)
		c.ResidualScale = k.float("residual_scale", 1)
		c.AttnScale = k.float("attention.scale", c.AttnScale)
		c.LogitScale = 1 / k.float("logit_scale", 1)
		c.RoPE.Pairs = true // see reordered
		c.Router.Score = router.SoftmaxTopK
	},
	names: map[string]string{
		"ffn_gate_inp.weight":     "model.layers.{l}.block_sparse_moe.router.layer.weight",
		"ffn_gate_up_exps.weight": "model.layers.{l}.block_sparse_moe.input_linear.weight",
		"ffn_down_exps.weight":    "model.layers.{l}.block_sparse_moe.output_linear.weight",
	},
	fused:       halves,
	stackedRows: true,
	reordered:   true,
}
