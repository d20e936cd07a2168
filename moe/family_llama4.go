package moe

import "github.com/coterie-go/coterie/router"

// Llama 4: one expert a token, whose input is weighed; attention within chunks,
// but for every fourth layer, which has no rotation and a temperature instead.
var llama4 = family{
	name: "llama4",
	hub:  []string{"Llama4ForCausalLM", "Llama4ForConditionalGeneration"},
	gguf: []string{"llama4"},
	readHub: func(k keys, c *Config) {
		c.RoPE.Pairs = true
		if k.bool("use_qk_norm", true) {
			c.QKNorm = UnitQKNorm
		}
		if k.flag("attn_temperature_tuning", true) {
			c.Temperature = Temperature{Scale: k.float("attn_scale", 0.1), Floor: k.float("floor_scale", 8192)}
		}
		chunk := k.int("attention_chunk_size", 8192)
		turned := k.ints("no_rope_layers") // 1 where there is rotation
		every := k.int("no_rope_layer_interval", 4)
		for i := range c.Layers {
			l := &c.Layers[i]
			if len(turned) == len(c.Layers) {
				l.NoRoPE = turned[i] == 0
			} else {
				l.NoRoPE = every > 0 && (i+1)%every == 0
			}
			if !l.NoRoPE {
				l.Chunk = chunk
			}
		}
		if types := k.strings("layer_types"); len(types) == len(c.Layers) {
			for i := range c.Layers {
				c.Layers[i].Chunk = 0
				if types[i] == "chunked_attention" {
					c.Layers[i].Chunk = chunk
				}
			}
		}

		llama4Mixture(c)
		c.ExpertFF, c.SharedFF = c.DenseFF, c.DenseFF
		c.DenseFF = k.int("intermediate_size_mlp", c.DenseFF)
		denseLayers(c, 0, k.int("interleave_moe_layer_step", 1), nil)
		if k.has("moe_layers") {
			for i := range c.Layers {
				c.Layers[i].Dense = true
			}
			for _, i := range k.ints("moe_layers") {
				if i >= 0 && i < len(c.Layers) {
					c.Layers[i].Dense = false
				}
			}
		}
	},
	readGGUF: func(k keys, c *Config) {
		c.RoPE.Pairs = true
		llama4Mixture(c)
		c.SharedFF = c.ExpertFF
		// Not all converters write the keys below; what a file leaves out is as in the
		// published models, of which the one with 128 experts has no norm.
		if k.bool("use_qk_norm", c.Router.Experts != 128) {
			c.QKNorm = UnitQKNorm
		}
		if k.int("attention.sliding_window", 8192) == 0 {
			return // every layer sees everything, and turns queries and keys
		}
		c.Temperature = Temperature{Scale: k.float("attention.temperature_scale", 0.1), Floor: k.float("attention.temperature_length", 8192)}
		chunk, every := k.int("attention.chunk_size", 8192), k.int("attention.sliding_window_pattern", 4)
		for i := range c.Layers {
			if every > 0 && (i+1)%every == 0 {
				c.Layers[i].NoRoPE = true
			} else {
				c.Layers[i].Chunk = chunk
			}
		}
	},
	writeGGUF: llama4Keys,
	names: map[string]string{
		"ffn_gate.weight":         "model.layers.{l}.feed_forward.gate_proj.weight",
		"ffn_up.weight":           "model.layers.{l}.feed_forward.up_proj.weight",
		"ffn_down.weight":         "model.layers.{l}.feed_forward.down_proj.weight",
		"ffn_gate_inp.weight":     "model.layers.{l}.feed_forward.router.weight",
		"ffn_gate_up_exps.weight": "model.layers.{l}.feed_forward.experts.gate_up_proj",
		"ffn_down_exps.weight":    "model.layers.{l}.feed_forward.experts.down_proj",
		"ffn_gate_shexp.weight":   "model.layers.{l}.feed_forward.shared_expert.gate_proj.weight",
		"ffn_up_shexp.weight":     "model.layers.{l}.feed_forward.shared_expert.up_proj.weight",
		"ffn_down_shexp.weight":   "model.layers.{l}.feed_forward.shared_expert.down_proj.weight",
	},
	fused: halves,
}

func llama4Mixture(c *Config) {
	c.Router.Score, c.Router.Normalize, c.Router.Scale = router.SigmoidTopK, false, 1
	c.Expert.WeightBefore = true
}

// llama4Keys: one layer of a period sees everything and does not turn queries and
// keys, the others see chunks and turn them; or there are no chunks.
func llama4Keys(c *Config, set func(key string, v any)) {
	set("use_qk_norm", c.QKNorm == UnitQKNorm)
	chunk, every := 0, len(c.Layers)+1
	for i, l := range c.Layers {
		chunk = max(chunk, l.Chunk)
		if l.NoRoPE {
			every = min(every, i+1)
		}
	}
	if chunk == 0 {
		set("attention.sliding_window", uint32(0))
		return
	}
	set("attention.chunk_size", uint32(chunk))
	set("attention.sliding_window_pattern", uint32(every))
	set("attention.temperature_scale", c.Temperature.Scale)
	set("attention.temperature_length", uint32(max(c.Temperature.Floor, 1)))
}
