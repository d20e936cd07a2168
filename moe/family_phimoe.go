package moe

import "github.com/coterie-go/coterie/router"

// Phi-3.5-MoE: LayerNorm, experts chosen one at a time by SparseMixer.
var phiMoE = family{
	name: "phimoe",
	hub:  []string{"PhiMoEForCausalLM", "PhimoeForCausalLM"},
	readHub: func(k keys, c *Config) {
		c.Norm = LayerNorm
		c.Router.Score = router.SparseMixer
		c.Router.SparseEps = k.float("router_jitter_noise", 0.01)
		hubWindows(k, c)
	},
	names: sparseBlock(nil),
}
