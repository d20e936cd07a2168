package moe

import "github.com/coterie-go/coterie/router"

// OLMoE.
var olmoe = family{
	name: "olmoe",
	hub:  []string{"OlmoeForCausalLM"},
	gguf: []string{"olmoe"},
	readHub: func(k keys, c *Config) {
		c.QKNorm = FullQKNorm
		c.QKVClip = k.float("clip_qkv", 0)
		c.Router.Score = router.Softmax
	},
	readGGUF: func(k keys, c *Config) {
		c.QKNorm = FullQKNorm
		c.QKVClip = k.float("attention.clamp_kqv", 0)
		c.Router.Score, c.Router.Normalize = router.Softmax, false
	},
}
