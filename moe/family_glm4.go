package moe

// GLM-4.5 and 4.6.
var glm4MoE = family{
	name: "glm4-moe",
	hub:  []string{"Glm4MoeForCausalLM"},
	gguf: []string{"glm4moe"},
	readHub: func(k keys, c *Config) {
		deepseekMixture(k, c)
		sigmoidGroups(c, k.int("n_group", 1), k.int("topk_group", 1))
		if k.bool("use_qk_norm", false) {
			c.QKNorm = HeadQKNorm
		}
		c.Drafts = k.int("num_nextn_predict_layers", 0)
	},
	readGGUF: func(k keys, c *Config) {
		c.SharedFF = k.int("expert_shared_count", 0) * c.ExpertFF
		sigmoidGroups(c, k.int("expert_group_count", 1), k.int("expert_group_used_count", 1))
		if k.tensor("blk.0.attn_q_norm.weight") { // the larger models have it
			c.QKNorm = HeadQKNorm
		}
	},
	ggufNames: map[string]string{"ffn_norm.weight": "post_attention_norm.weight"},
}
