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

// GLM-4.7-Flash: latent attention. Its GGUF files are those of DeepSeek-V3.
var glm4MoELite = family{
	name: "glm4-moe-lite",
	hub:  []string{"Glm4MoeLiteForCausalLM"},
	gguf: []string{"deepseek2"},
	readHub: func(k keys, c *Config) {
		latentHub(k, c)
		c.RoPE.Pairs = k.bool("rope_interleave", true)
		deepseekMixture(k, c)
		sigmoidGroups(c, k.int("n_group", 1), k.int("topk_group", 1))
		for i, t := range k.strings("mlp_layer_types") {
			if i < len(c.Layers) {
				c.Layers[i].Dense = t == "dense"
			}
		}
		c.Drafts = k.int("num_nextn_predict_layers", 0)
	},
	match: func(keys) bool { return false }, // nothing tells its files from DeepSeek-V3's, nor has to
}
