package moe

import "github.com/coterie-go/coterie/router"

// Phi-3.5-MoE: LayerNorm, experts chosen one at a time by SparseMixer.
var phiMoE = family{
	name: "phimoe",
	hub:  []string{"PhiMoEForCausalLM", "PhimoeForCausalLM"},
	gguf: []string{"phimoe"},
	readHub: func(k keys, c *Config) {
		c.Norm = LayerNorm
		c.Router.Score = router.SparseMixer
		c.Router.SparseEps = k.float("router_jitter_noise", 0.01)
		hubWindows(k, c)
	},
	readGGUF: func(k keys, c *Config) {
		c.Norm = LayerNorm
		c.Router.Score, c.Router.Normalize = router.SparseMixer, false
		c.Router.SparseEps = 0.01 // the file does not say
		windowsGGUF(k, c)
	},
	names: sparseBlock(nil),
}
