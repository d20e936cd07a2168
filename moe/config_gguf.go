package moe

import "math"

// readGGUF fills c with what the metadata says in the same words for every family.
// Keys are without the architecture's prefix.
func readGGUF(k keys, c *Config) {
	c.Dim = k.need("embedding_length")
	c.Vocab = k.int("vocab_size", 0) // or by the embedding's shape
	c.Context = k.need("context_length")
	c.NormEps = k.float("attention.layer_norm_rms_epsilon", 1e-6)
	c.Drafts = k.int("nextn_predict_layers", 0)
	c.Layers = make([]LayerConfig, min(max(k.need("block_count")-c.Drafts, 0), 1<<12))
	c.Heads = k.need("attention.head_count")
	c.KVHeads = k.int("attention.head_count_kv", c.Heads)
	c.HeadDim = k.int("attention.key_length", c.Dim/max(c.Heads, 1))
	c.ValueDim = k.int("attention.value_length", c.HeadDim)
	c.AttnScale = inverseRoot(c.HeadDim)
	c.DenseFF = k.int("feed_forward_length", 0)
	c.BOS = -1

	r := &c.RoPE
	r.Base = k.float("rope.freq_base", 10000)
	r.Dim = k.int("rope.dimension_count", c.HeadDim)
	s := &r.Scaling
	s.Factor = k.float("rope.scaling.factor", 1)
	s.Original = k.int("rope.scaling.original_context_length", c.Context)
	switch kind := k.string("rope.scaling.type", "none"); kind {
	case "none", "longrope": // whose factors are tensors, see checkpoint.factors
		s.Magnitude = k.float("rope.scaling.attn_factor", 0)
	case "linear":
		s.Kind = Linear
	case "yarn":
		s.Kind = YaRN
		s.BetaFast, s.BetaSlow = k.float("rope.scaling.yarn_beta_fast", 32), k.float("rope.scaling.yarn_beta_slow", 1)
		s.Round = true
		s.Magnitude = k.float("rope.scaling.attn_factor", float32(yarnMagnitude(float64(s.Factor), 1)))
	default:
		k.fail("rope.scaling.type", "none, linear, yarn or longrope", kind)
	}

	if k.int("expert_count", 0) == 0 {
		for i := range c.Layers {
			c.Layers[i].Dense = true
		}
		return
	}
	c.Router.Experts, c.Router.TopK = k.need("expert_count"), k.need("expert_used_count")
	c.Router.Scale = k.float("expert_weights_scale", 1)
	c.Router.Normalize = k.bool("expert_weights_norm", false)
	c.ExpertFF = k.int("expert_feed_forward_length", c.DenseFF)
	denseLayers(c, k.int("leading_dense_block_count", 0), k.int("interleave_moe_layer_step", 1), nil)
}

// windowsGGUF reads the window that all layers have.
func windowsGGUF(k keys, c *Config) {
	for i := range c.Layers {
		c.Layers[i].Window = k.int("attention.sliding_window", 0)
	}
}

// latentGGUF reads the sizes of latent attention.
func latentGGUF(k keys, c *Config) {
	l := &LatentConfig{QRank: k.int("attention.q_lora_rank", 0), KVRank: k.need("attention.kv_lora_rank"), RopeDim: k.need("rope.dimension_count")}
	// Files from before the absorbed form give the heads' own sizes.
	c.HeadDim = k.int(k.first("attention.key_length_mla", "attention.key_length"), 0)
	c.ValueDim = k.int(k.first("attention.value_length_mla", "attention.value_length"), 0)
	l.NopeDim = c.HeadDim - l.RopeDim
	c.Latent, c.KVHeads = l, c.Heads
	c.AttnScale = inverseRoot(c.HeadDim)
	if c.RoPE.Scaling.Kind == YaRN {
		// The converter writes 0.1 * mscale_all_dim; the models have mscale the same,
		// so that cosines and sines keep their magnitude and scores grow by its square.
		c.RoPE.Scaling.Magnitude = 1
		m := 1 + float64(k.number("rope.scaling.yarn_log_multiplier", 0)*math.Log(float64(c.RoPE.Scaling.Factor)))
		c.AttnScale = float32(float64(m*m) / math.Sqrt(float64(c.HeadDim)))
	}
}
