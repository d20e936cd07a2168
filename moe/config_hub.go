package moe

import (
	"fmt"
	"math"
)

// readHub fills c with what config.json says in the same words for every family.
func readHub(k keys, c *Config) {
	c.Vocab, c.Dim = k.need("vocab_size"), k.need("hidden_size")
	c.Context = k.int("max_position_embeddings", 2048)
	c.NormEps = k.float("rms_norm_eps", 1e-6)
	c.Layers = make([]LayerConfig, min(max(k.need("num_hidden_layers"), 0), 1<<12))
	c.Heads = k.need("num_attention_heads")
	c.KVHeads = k.int("num_key_value_heads", c.Heads)
	c.HeadDim = k.int("head_dim", c.Dim/max(c.Heads, 1))
	c.ValueDim = c.HeadDim
	c.AttnScale = inverseRoot(c.HeadDim)
	c.TiedOutput = k.bool("tie_word_embeddings", false)
	c.DenseFF = k.int("intermediate_size", 0)
	hubRoPE(k, c)

	c.BOS = -1
	if ids := k.ints("bos_token_id"); len(ids) > 0 {
		c.BOS = int32(ids[0])
	}
	for _, id := range k.ints("eos_token_id") {
		c.EOS = append(c.EOS, int32(id))
	}

	if !k.has(k.first("n_routed_experts", "num_experts", "num_local_experts")) {
		for i := range c.Layers {
			c.Layers[i].Dense = true
		}
		return
	}
	c.Router.Experts = k.int(k.first("n_routed_experts", "num_experts", "num_local_experts"), 0)
	c.Router.TopK = k.int("num_experts_per_tok", 0)
	c.Router.Scale = k.float("routed_scaling_factor", 1)
	c.Router.Normalize = k.bool("norm_topk_prob", false)
	c.ExpertFF = k.same(k.first("moe_intermediate_size", "intermediate_size"), 0)
}

func inverseRoot(n int) float32 { return float32(1 / math.Sqrt(float64(max(n, 1)))) }

// hubRoPE reads rope_parameters, or rope_theta and rope_scaling of configs written
// before 2026.
func hubRoPE(k keys, c *Config) {
	p := k.sub("rope_parameters")
	base, scaling := p, p
	if !k.has("rope_parameters") {
		base, scaling = k, k.sub("rope_scaling")
	}
	r := &c.RoPE
	r.Base = base.float("rope_theta", 10000)
	part := k.number("partial_rotary_factor", 1)
	part = p.number("partial_rotary_factor", part)
	r.Dim = int(float64(c.HeadDim) * part)
	s := &r.Scaling
	s.Factor = scaling.float("factor", 1)
	s.Original = scaling.int("original_max_position_embeddings", k.int("original_max_position_embeddings", c.Context))
	switch kind := scaling.string("rope_type", scaling.string("type", "default")); kind {
	case "default":
	case "linear":
		s.Kind = Linear
	case "yarn":
		s.Kind = YaRN
		s.BetaFast, s.BetaSlow = scaling.float("beta_fast", 32), scaling.float("beta_slow", 1)
		s.Round = scaling.bool("truncate", true)
		f, m, all := float64(s.Factor), scaling.number("mscale", 0), scaling.number("mscale_all_dim", 0)
		switch {
		case scaling.has("attention_factor"):
			s.Magnitude = scaling.float("attention_factor", 1)
		case m != 0 && all != 0:
			s.Magnitude = float32(yarnMagnitude(f, m) / yarnMagnitude(f, all))
		default:
			s.Magnitude = float32(yarnMagnitude(f, 1))
		}
	case "llama3":
		s.Kind = Llama3
		s.LowFreq, s.HighFreq = scaling.float("low_freq_factor", 1), scaling.float("high_freq_factor", 4)
	case "longrope":
		hubLongRoPE(scaling, c)
	case "dynamic": // with alpha it is a larger base, whatever the length of the text
		if !scaling.has("alpha") || r.Dim <= 2 {
			k.fail("rope_type", "dynamic with alpha", "none")
			return
		}
		d := float64(r.Dim)
		r.Base *= float32(power(scaling.number("alpha", 1), d/(d-2)))
	default:
		k.fail("rope_type", "default, linear, yarn, llama3, longrope or dynamic with alpha", kind)
	}
}

// hubLongRoPE reads divisors of the frequencies (LongRoPE, Ding et al., 2024). A
// file has two sets, for texts up to the original context and for longer ones.
// The model's context decides, so that a token's keys do not depend on what
// follows.
func hubLongRoPE(scaling keys, c *Config) {
	s := &c.RoPE.Scaling
	long := c.Context > s.Original
	list, magnitude := "short_factor", "short_mscale"
	if long {
		list, magnitude = "long_factor", "long_mscale"
	}
	c.RoPE.Factors = scaling.floats(list)
	if len(c.RoPE.Factors) != c.RoPE.Dim/2 {
		scaling.fail(list, fmt.Sprint(c.RoPE.Dim/2, " numbers"), len(c.RoPE.Factors))
		c.RoPE.Factors = nil
		return
	}
	switch stretch := float64(c.Context) / float64(max(s.Original, 1)); {
	case scaling.has(magnitude):
		s.Magnitude = scaling.float(magnitude, 1)
	case scaling.has("attention_factor"):
		s.Magnitude = scaling.float("attention_factor", 1)
	case stretch > 1 && s.Original > 1:
		s.Magnitude = float32(math.Sqrt(1 + ln(stretch)/ln(float64(s.Original))))
	}
}

// denseLayers marks the layers without routing: the first n, those not on the
// step, and those listed.
func denseLayers(c *Config, first, step int, listed []int) {
	for i := range c.Layers {
		c.Layers[i].Dense = i < first || (step > 1 && (i+1)%step != 0)
	}
	for _, i := range listed {
		if i >= 0 && i < len(c.Layers) {
			c.Layers[i].Dense = true
		}
	}
}

// hubWindows reads layer_types and sliding_window.
func hubWindows(k keys, c *Config) {
	w := k.int("sliding_window", 0)
	types := k.strings("layer_types")
	if types != nil && len(types) != len(c.Layers) {
		k.fail("layer_types", "one for each layer", len(types))
		return
	}
	for i := range c.Layers {
		if types == nil || types[i] == "sliding_attention" {
			c.Layers[i].Window = w
		}
	}
}
