package moe

import "github.com/coterie-go/coterie/router"

// Mixtral. Its GGUF files call themselves llama.
var mixtral = family{
	name: "mixtral",
	hub:  []string{"MixtralForCausalLM"},
	gguf: []string{"llama"},
	readHub: func(k keys, c *Config) {
		c.Router.Score, c.Router.Normalize = router.Softmax, true
		hubWindows(k, c)
	},
	readGGUF: func(k keys, c *Config) {
		c.RoPE.Pairs = true // see reordered
		c.Router.Score, c.Router.Normalize = router.Softmax, true
		windowsGGUF(k, c)
	},
	match:     func(k keys) bool { return k.int("expert_count", 0) > 0 },
	names:     sparseBlock(nil),
	reordered: true,
}
