package moe

// Llama, also R1's distilled models of that name.
var llama = family{
	name:    "llama",
	hub:     []string{"LlamaForCausalLM"},
	gguf:    []string{"llama"},
	readHub: func(k keys, c *Config) {},
	readGGUF: func(k keys, c *Config) {
		c.RoPE.Pairs = true // see reordered
	},
	match:     func(k keys) bool { return k.int("expert_count", 0) == 0 },
	reordered: true,
}
