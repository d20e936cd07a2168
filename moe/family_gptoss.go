package moe

import (
	"github.com/coterie-go/coterie/expert"
	"github.com/coterie-go/coterie/router"
)

// gpt-oss: sinks, windows on every other layer, biases everywhere, experts in
// MXFP4 with gate and up interleaved.
var gptOSS = family{
	name: "gpt-oss",
	hub:  []string{"GptOssForCausalLM"},
	gguf: []string{"gpt-oss"},
	readHub: func(k keys, c *Config) {
		gptOSSBehaviour(c)
		c.Expert.Limit = k.float("swiglu_limit", 7)
		hubWindows(k, c)
	},
	readGGUF: func(k keys, c *Config) {
		gptOSSBehaviour(c)
		c.RoPE.Scaling.Round = false // as the models were trained; the file does not say
		for i := 0; i < len(c.Layers); i += 2 {
			c.Layers[i].Window = k.int("attention.sliding_window", 0)
		}
	},
	names: map[string]string{
		"ffn_gate_inp.weight":     "model.layers.{l}.mlp.router.weight",
		"ffn_gate_inp.bias":       "model.layers.{l}.mlp.router.bias",
		"ffn_gate_up_exps.weight": "model.layers.{l}.mlp.experts.gate_up_proj",
		"ffn_gate_up_exps.bias":   "model.layers.{l}.mlp.experts.gate_up_proj_bias",
		"ffn_down_exps.weight":    "model.layers.{l}.mlp.experts.down_proj",
		"ffn_down_exps.bias":      "model.layers.{l}.mlp.experts.down_proj_bias",
	},
	fused:     interleaved,
	ggufNames: map[string]string{"ffn_norm.weight": "post_attention_norm.weight"},
}

func gptOSSBehaviour(c *Config) {
	c.Router.Score = router.SoftmaxTopK
	c.Expert = expert.Spec{Activation: expert.SwiGLUClamped, Alpha: 1.702, Limit: 7}
}
