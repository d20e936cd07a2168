package moe

// MiniMax-M2.
var minimaxM2 = family{
	name: "minimax-m2",
	hub:  []string{"MiniMaxM2ForCausalLM"},
	gguf: []string{"minimax-m2"},
	readHub: func(k keys, c *Config) {
		c.QKNorm = FullQKNorm
		c.RoPE.Dim = k.int("rotary_dim", c.RoPE.Dim)
		sigmoidGroups(c, 1, 1)
		c.Router.Normalize = true
	},
	readGGUF: func(k keys, c *Config) {
		c.QKNorm = FullQKNorm
		sigmoidGroups(c, 1, 1)
		c.Router.Normalize = true
	},
	names: sparseBlock(map[string]string{
		"exp_probs_b.bias": "model.layers.{l}.block_sparse_moe.e_score_correction_bias",
	}),
}
