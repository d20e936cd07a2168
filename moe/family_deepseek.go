package moe

import (
	"math"

	"github.com/coterie-go/coterie/router"
)

// DeepSeek-V3, R1 and Kimi-K2.
var deepseekV3 = family{
	name: "deepseek-v3",
	hub:  []string{"DeepseekV3ForCausalLM"},
	gguf: []string{"deepseek2"},
	readHub: func(k keys, c *Config) {
		latentHub(k, c)
		c.RoPE.Pairs = k.bool("rope_interleave", true)
		deepseekMixture(k, c)
		sigmoidGroups(c, k.int("n_group", 1), k.int("topk_group", 1))
		c.Drafts = k.int("num_nextn_predict_layers", 0)
	},
	readGGUF: func(k keys, c *Config) {
		latentGGUF(k, c)
		c.RoPE.Pairs = true
		c.SharedFF = k.int("expert_shared_count", 0) * c.ExpertFF
		sigmoidGroups(c, k.int("expert_group_count", 1), k.int("expert_group_used_count", 1))
	},
	match: func(k keys) bool { return k.int("expert_gating_func", 1) == 2 },
}

// DeepSeek-V3.2: the same with an indexer.
var deepseekV32 = family{
	name: "deepseek-v3.2",
	hub:  []string{"DeepseekV32ForCausalLM"},
	gguf: []string{"deepseek32"},
	readHub: func(k keys, c *Config) {
		deepseekV3.readHub(k, c)
		c.Indexer = &IndexerConfig{Heads: k.need("index_n_heads"), Dim: k.need("index_head_dim"), TopK: k.need("index_topk")}
	},
	readGGUF: func(k keys, c *Config) {
		deepseekV3.readGGUF(k, c)
		c.Indexer = &IndexerConfig{
			Heads: k.need("attention.indexer.head_count"), Dim: k.need("attention.indexer.key_length"), TopK: k.need("attention.indexer.top_k"),
		}
	},
}

// DeepSeek-V2 and V2-Lite.
var deepseekV2 = family{
	name: "deepseek-v2",
	hub:  []string{"DeepseekV2ForCausalLM"},
	gguf: []string{"deepseek2"},
	readHub: func(k keys, c *Config) {
		latentHub(k, c)
		c.RoPE.Pairs = true
		deepseekMixture(k, c)
		groups, kept := 1, 1
		if k.string("topk_method", "greedy") == "group_limited_greedy" {
			groups, kept = k.int("n_group", 1), k.int("topk_group", 1)
		}
		softmaxGroups(c, groups, kept)
	},
	readGGUF: func(k keys, c *Config) {
		latentGGUF(k, c)
		c.RoPE.Pairs = true
		c.SharedFF = k.int("expert_shared_count", 0) * c.ExpertFF
		softmaxGroups(c, k.int("expert_group_count", 1), k.int("expert_group_used_count", 1))
	},
	match: func(k keys) bool { return k.int("expert_gating_func", 1) == 1 },
}

// latentHub reads the sizes of latent attention.
func latentHub(k keys, c *Config) {
	l := &LatentConfig{
		QRank:   k.int("q_lora_rank", 0),
		KVRank:  k.need("kv_lora_rank"),
		NopeDim: k.need("qk_nope_head_dim"),
		RopeDim: k.need("qk_rope_head_dim"),
	}
	c.Latent, c.KVHeads = l, c.Heads
	c.HeadDim, c.ValueDim = l.NopeDim+l.RopeDim, k.need("v_head_dim")
	c.RoPE.Dim = l.RopeDim
	c.AttnScale = inverseRoot(c.HeadDim)
	if c.RoPE.Scaling.Kind == YaRN {
		scaling := k.sub(k.first("rope_parameters", "rope_scaling"))
		if all := scaling.number("mscale_all_dim", 0); all != 0 {
			m := yarnMagnitude(float64(c.RoPE.Scaling.Factor), all)
			c.AttnScale = float32(float64(m*m) / math.Sqrt(float64(c.HeadDim)))
		}
	}
}

// deepseekMixture reads dense first layers and shared experts.
func deepseekMixture(k keys, c *Config) {
	denseLayers(c, k.int("first_k_dense_replace", 0), 1, nil)
	if f := k.int("moe_layer_freq", 1); f > 1 {
		for i := range c.Layers {
			c.Layers[i].Dense = c.Layers[i].Dense || i%f != 0
		}
	}
	c.SharedFF = k.int("n_shared_experts", 0) * c.ExpertFF
}

// sigmoidGroups: a sigmoid for each expert, a bias that only chooses, groups
// worth their two best (DeepSeek-V3, 2024, section 2.1.2).
func sigmoidGroups(c *Config, groups, kept int) {
	r := &c.Router
	r.Score, r.GroupScore, r.NormEps = router.Sigmoid, router.GroupTop2Sum, 1e-20
	if groups > 1 {
		r.Groups, r.TopGroups = groups, kept
	}
}

// softmaxGroups: groups worth their best (DeepSeek-V2, 2024, section 2.2.2).
func softmaxGroups(c *Config, groups, kept int) {
	r := &c.Router
	r.Score, r.GroupScore, r.MaskToZero, r.Normalize = router.Softmax, router.GroupMax, true, false
	if groups > 1 {
		r.Groups, r.TopGroups = groups, kept
	}
}
