package moe

// dots.llm1.
var dots1 = family{
	name: "dots1",
	hub:  []string{"Dots1ForCausalLM"},
	gguf: []string{"dots1"},
	readHub: func(k keys, c *Config) {
		deepseekMixture(k, c)
		sigmoidGroups(c, k.int("n_group", 1), k.int("topk_group", 1))
		c.QKNorm = HeadQKNorm
		if k.has("layer_types") {
			hubWindows(k, c)
		}
	},
	readGGUF: func(k keys, c *Config) {
		c.SharedFF = k.int("expert_shared_count", 0) * c.ExpertFF
		sigmoidGroups(c, k.int("expert_group_count", 1), k.int("expert_group_used_count", 1))
		c.QKNorm = HeadQKNorm
	},
}
