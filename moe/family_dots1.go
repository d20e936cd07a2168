package moe

// dots.llm1.
var dots1 = family{
	name: "dots1",
	hub:  []string{"Dots1ForCausalLM"},
	readHub: func(k keys, c *Config) {
		deepseekMixture(k, c)
		sigmoidGroups(c, k.int("n_group", 1), k.int("topk_group", 1))
		c.QKNorm = HeadQKNorm
		if k.has("layer_types") {
			hubWindows(k, c)
		}
	},
}
