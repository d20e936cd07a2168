package moe

import "github.com/coterie-go/coterie/router"

// Qwen3-Next: gated delta nets, and gated attention in every fourth layer.
var qwen3Next = family{
	name:     "qwen3-next",
	hub:      []string{"Qwen3NextForCausalLM"},
	gguf:     []string{"qwen3next"},
	readHub:  qwenNextHub,
	readGGUF: qwenNextGGUF,
	names:    qwen2MoE.names,
	ggufNames: map[string]string{
		"ffn_norm.weight": "post_attention_norm.weight",
	},
	normsFromOne: true,
}

// Qwen3.5 with experts: the same, with matrices of its own for each part.
var qwen35MoE = family{
	name: "qwen3.5-moe",
	hub:  []string{"Qwen3_5MoeForCausalLM", "Qwen3_5MoeForConditionalGeneration"},
	gguf: []string{"qwen35moe"},
	readHub: func(k keys, c *Config) {
		qwenNextHub(k, c)
		c.Router.Normalize = true
	},
	readGGUF: func(k keys, c *Config) {
		qwenNextGGUF(k, c)
		c.Delta.Tiled = true // see tiled
	},
	names: map[string]string{ // experts one by one, or together
		"ffn_gate_shexp.weight":   qwen2MoE.names["ffn_gate_shexp.weight"],
		"ffn_up_shexp.weight":     qwen2MoE.names["ffn_up_shexp.weight"],
		"ffn_down_shexp.weight":   qwen2MoE.names["ffn_down_shexp.weight"],
		"ffn_gate_up_exps.weight": "model.layers.{l}.mlp.experts.gate_up_proj",
		"ffn_down_stack.weight":   "model.layers.{l}.mlp.experts.down_proj",
	},
	fused:        halves,
	tiled:        true,
	stackedRows:  true,
	ggufNames:    qwen3Next.ggufNames,
	normsFromOne: true,
}

func qwenNextHub(k keys, c *Config) {
	qwenMixture(k, c)
	c.Router.Normalize = k.bool("norm_topk_prob", true)
	c.SharedFF, c.SharedGate = k.int("shared_expert_intermediate_size", 0), true
	c.QKNorm, c.AttnGate = HeadQKNorm, true
	c.Delta = &DeltaConfig{
		KeyHeads: k.need("linear_num_key_heads"), ValueHeads: k.need("linear_num_value_heads"),
		KeyDim: k.need("linear_key_head_dim"), ValueDim: k.need("linear_value_head_dim"),
		Conv: k.int("linear_conv_kernel_dim", 4),
	}
	types := k.strings("layer_types")
	if types != nil && len(types) != len(c.Layers) {
		k.fail("layer_types", "one for each layer", len(types))
		return
	}
	every := k.int("full_attention_interval", 4)
	for i := range c.Layers {
		if types != nil {
			c.Layers[i].Recurrent = types[i] == "linear_attention"
		} else {
			c.Layers[i].Recurrent = every < 1 || (i+1)%every != 0
		}
	}
}

func qwenNextGGUF(k keys, c *Config) {
	c.Router.Score, c.Router.Normalize = router.Softmax, true
	c.SharedFF, c.SharedGate = k.int("expert_shared_feed_forward_length", c.ExpertFF), true
	c.QKNorm, c.AttnGate = HeadQKNorm, true
	d := &DeltaConfig{
		KeyHeads: k.need("ssm.group_count"), ValueHeads: k.need("ssm.time_step_rank"),
		KeyDim: k.need("ssm.state_size"), Conv: k.need("ssm.conv_kernel"),
	}
	d.ValueDim = k.need("ssm.inner_size") / max(d.ValueHeads, 1)
	c.Delta = d
	every := k.int("full_attention_interval", 4)
	for i := range c.Layers {
		c.Layers[i].Recurrent = every < 1 || (i+1)%every != 0
	}
}
