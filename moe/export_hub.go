package moe

import (
	"fmt"
	"math"
	"path/filepath"

	"github.com/coterie-go/coterie/expert"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/quant"
	"github.com/coterie-go/coterie/router"
	"github.com/coterie-go/coterie/tensor"
)

// fromHub writes a hub checkpoint's weights under GGUF's names.
func (x *exporter) fromHub() error {
	if len(x.family.gguf) == 0 {
		return fmt.Errorf("%w: %s: want a family with a name in GGUF, found %s", ErrFamily, x.path, x.family.name)
	}
	if err := x.hubTokenizer(); err != nil {
		return err
	}
	if err := x.hubKeys(); err != nil {
		return err
	}
	// Prediction layers are layers like others, with a few tensors more.
	plainLayers := len(x.config.Layers)
	for range x.config.Drafts {
		x.config.Layers = append(x.config.Layers, LayerConfig{})
	}
	w, err := x.bind()
	if err != nil {
		return err
	}
	x.linear("token_embd", w.embed, nil)
	x.floats("output_norm.weight", w.norm)
	x.floats("output_norm.bias", w.bias)
	if !x.config.TiedOutput {
		x.linear("output", w.output, nil)
	}
	if err := x.factors(); err != nil {
		return err
	}
	for i := range w.layers {
		x.layer(&w.layers[i], i)
		if i >= plainLayers {
			if err := x.draft(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// role returns the GGUF name of a layer's tensor.
func (x *exporter) role(role string, layer int) string { return x.ggufName(role, layer) }

// linear adds a matrix and its bias.
func (x *exporter) linear(name string, l *tensor.Linear, order func(int) int) {
	if l == nil {
		return
	}
	x.matrix(name+".weight", sourceType(l), []tensor.Linear{*l}, false, order)
	if l.Bias != nil {
		bias := l.Bias
		if order != nil {
			bias = make([]float32, len(l.Bias))
			for i := range bias {
				bias[i] = l.Bias[order(i)]
			}
		}
		x.floats(name+".bias", bias)
	}
}

// sourceType returns the type of a map's weights.
func sourceType(l *tensor.Linear) quant.Type {
	switch l.Format {
	case kernels.F16:
		return quant.F16
	case kernels.F32:
		return quant.F32
	case kernels.F8E4M3:
		return quant.F8E4M3
	case kernels.MXFP4Hub:
		return quant.MXFP4Hub
	}
	return quant.BF16
}

func (x *exporter) layer(l *layer, i int) {
	c := &x.config
	x.floats(x.role("attn_norm.weight", i), l.attnNorm)
	x.floats(x.role("attn_norm.bias", i), l.attnBias)
	x.floats(x.role("ffn_norm.weight", i), l.ffnNorm)
	x.floats(x.role("ffn_norm.bias", i), l.ffnBias)
	lin := func(role string, l *tensor.Linear) { x.linear(x.role(role, i), l, nil) }

	var order func(int) int
	if x.family.reordered { // neighbours form pairs where the hub has halves
		d := c.HeadDim
		order = func(r int) int { return r/d*d + r%d/2 + r%2*(d/2) }
	}
	x.linear(x.role("attn_q", i), l.q, order)
	x.linear(x.role("attn_k", i), l.k, order)
	lin("attn_v", l.v)
	if l.delta != nil {
		x.delta(l, i)
	} else {
		lin("attn_output", l.attnOut)
	}
	if l.index != nil {
		x.indexer(l.index, i)
	}
	x.floats(x.role("attn_q_norm.weight", i), l.qNorm)
	x.floats(x.role("attn_k_norm.weight", i), l.kNorm)
	x.floats(x.role("attn_sinks.weight", i), l.sinks)

	lin("attn_q_a", l.qA)
	x.floats(x.role("attn_q_a_norm.weight", i), l.qANorm)
	lin("attn_q_b", l.qB)
	lin("attn_kv_a_mqa", l.kvA)
	x.floats(x.role("attn_kv_a_norm.weight", i), l.kvANorm)
	if l.kB != nil {
		x.matrix(x.role("attn_k_b.weight", i), sourceType(&l.kB[0]), l.kB, true, nil)
		x.matrix(x.role("attn_v_b.weight", i), sourceType(&l.vB[0]), l.vB, true, nil)
	}

	suffix := "_shexp"
	if l.routes != nil {
		lin("ffn_gate_inp", l.router)
		x.floats(x.role("exp_probs_b.bias", i), l.selectBias)
		x.experts(i, "gate", l.experts, func(e *expert.Expert) *tensor.Linear { return &e.Gate })
		x.experts(i, "up", l.experts, func(e *expert.Expert) *tensor.Linear { return &e.Up })
		x.experts(i, "down", l.experts, func(e *expert.Expert) *tensor.Linear { return &e.Down })
	} else {
		suffix = ""
	}
	for _, e := range l.shared {
		lin("ffn_gate"+suffix, &e.Gate)
		lin("ffn_up"+suffix, &e.Up)
		lin("ffn_down"+suffix, &e.Down)
	}
	if l.sharedGate != nil {
		x.linear(x.role("ffn_gate_inp_shexp", i), l.sharedGate, nil)
	}
}

// experts adds one of the three matrices of all experts as one tensor.
func (x *exporter) experts(i int, which string, list []expert.Expert, of func(*expert.Expert) *tensor.Linear) {
	parts := make([]tensor.Linear, len(list))
	var bias []float32
	for e := range list {
		parts[e] = *of(&list[e])
		bias = append(bias, parts[e].Bias...)
	}
	x.matrix(x.role("ffn_"+which+"_exps.weight", i), sourceType(&parts[0]), parts, true, nil)
	if bias != nil {
		x.floats(x.role("ffn_"+which+"_exps.bias", i), bias, len(list), len(bias)/len(list))
	}
}

// draft adds what a prediction layer has beside a layer's tensors.
func (x *exporter) draft(i int) error {
	c := &x.config
	ld := &loader{checkpoint: x.checkpoint}
	base := fmt.Sprintf("model.layers.%d.", i)
	matrix := func(name, hub string, out, in int) {
		v, ok, err := x.find(base + hub)
		if err != nil || !ok {
			return // some checkpoints share the embedding and head with the model
		}
		if w, ok := ld.rows(v, []int{out, in}); ok {
			x.matrix(x.role(name, i), v.typ, []tensor.Linear{{Weights: w}}, false, nil)
		}
	}
	vector := func(name, hub string) {
		if v, ok, err := x.find(base + hub); err == nil && ok {
			x.floats(x.role(name, i), ld.values(v, []int{c.Dim}))
		}
	}
	matrix("nextn.eh_proj.weight", "eh_proj.weight", c.Dim, 2*c.Dim)
	matrix("nextn.embed_tokens.weight", "embed_tokens.weight", c.Vocab, c.Dim)
	matrix("nextn.shared_head_head.weight", "shared_head.head.weight", c.Vocab, c.Dim)
	vector("nextn.enorm.weight", "enorm.weight")
	vector("nextn.hnorm.weight", "hnorm.weight")
	vector("nextn.shared_head_norm.weight", "shared_head.norm.weight")
	if len(ld.errs) > 0 {
		return ld.errs[0]
	}
	return nil
}

// factors adds the divisors of the rotary frequencies. Of LongRoPE's two sets the
// configuration keeps the one in use; GGUF wants both.
func (x *exporter) factors() error {
	if x.config.RoPE.Factors == nil {
		x.floats("rope_freqs.weight", x.llama3Factors())
		return nil
	}
	_, k, err := readHubConfig(filepath.Join(x.path, "config.json"))
	if err != nil {
		return err
	}
	scaling := k.sub(k.first("rope_parameters", "rope_scaling"))
	x.floats("rope_factors_long.weight", scaling.floats("long_factor"))
	x.floats("rope_factors_short.weight", scaling.floats("short_factor"))
	return k.err()
}

// llama3Factors returns what the frequencies are divided by: GGUF stores Llama 3's
// scaling as a tensor.
func (x *exporter) llama3Factors() []float32 {
	r := x.config.RoPE
	if r.Scaling.Kind != Llama3 {
		return nil
	}
	scaled := r.frequencies()
	r.Scaling.Kind = NoScaling
	f := r.frequencies()
	for i := range f {
		f[i] /= scaled[i]
	}
	return f
}

// hubKeys writes the configuration in GGUF's words.
func (x *exporter) hubKeys() error {
	c := &x.config
	arch, said := x.family.gguf[0], map[string]any{}
	set := func(key string, v any) {
		said[key] = v
		x.w.SetKV(arch+"."+key, v)
	}
	num := func(key string, v int) { set(key, uint32(v)) }
	x.w.SetKV("general.architecture", arch)
	x.w.SetKV("general.type", "model")
	x.w.SetKV("general.name", filepath.Base(x.path))
	x.w.SetKV("general.file_type", x.FileType)
	x.w.SetKV("general.quantization_version", uint32(2))
	num("vocab_size", c.Vocab)
	num("block_count", len(c.Layers)+c.Drafts)
	num("context_length", c.Context)
	num("embedding_length", c.Dim)
	num("attention.head_count", c.Heads)
	set("attention.layer_norm_rms_epsilon", c.NormEps)
	set("rope.freq_base", c.RoPE.Base)
	num("rope.dimension_count", c.RoPE.Dim)
	if c.Drafts > 0 {
		num("nextn_predict_layers", c.Drafts)
	}
	if a := c.Latent; a != nil {
		num("attention.head_count_kv", 1)
		num("attention.key_length", a.KVRank+a.RopeDim)
		num("attention.value_length", a.KVRank)
		num("attention.key_length_mla", c.HeadDim)
		num("attention.value_length_mla", c.ValueDim)
		num("attention.kv_lora_rank", a.KVRank)
		if a.QRank > 0 {
			num("attention.q_lora_rank", a.QRank)
		}
	} else {
		num("attention.head_count_kv", c.KVHeads)
		num("attention.key_length", c.HeadDim)
		num("attention.value_length", c.ValueDim)
	}
	if c.QKVClip > 0 {
		set("attention.clamp_kqv", c.QKVClip)
	}
	for _, l := range c.Layers {
		if l.Window > 0 {
			num("attention.sliding_window", l.Window)
			break
		}
	}
	x.scalingKeys(set)

	dense := c.DenseFF
	if dense == 0 {
		dense = c.ExpertFF
	}
	num("feed_forward_length", dense)
	for _, m := range []struct {
		key  string
		v    float32
		want bool
	}{
		{"embedding_scale", c.EmbedScale, c.EmbedScale != 0},
		{"residual_scale", c.ResidualScale, c.ResidualScale != 0},
		{"logit_scale", 1 / c.LogitScale, c.LogitScale != 0},
		{"attention.scale", c.AttnScale, c.Latent == nil && c.AttnScale != inverseRoot(c.HeadDim)},
	} {
		if m.want {
			set(m.key, m.v)
		}
	}
	if d := c.Indexer; d != nil {
		num("attention.indexer.head_count", d.Heads)
		num("attention.indexer.key_length", d.Dim)
		num("attention.indexer.top_k", d.TopK)
	}
	if c.Delta != nil {
		x.deltaKeys(num)
	}
	if x.family.writeGGUF != nil {
		x.family.writeGGUF(c, set)
	}
	if c.Routed() > 0 {
		x.mixtureKeys(set, num)
	}
	return x.readBack(arch, said)
}

// readBack reports layers that GGUF describes otherwise: it has periods and counts
// for what the hub may say layer by layer.
func (x *exporter) readBack(arch string, said map[string]any) error {
	k := keys{
		get:    func(key string) (any, bool) { v, ok := said[key]; return v, ok },
		tensor: func(string) bool { return false },
		errs:   new([]error),
	}
	f, err := familyOfGGUF(arch, k)
	if err != nil {
		return err
	}
	var back Config
	readGGUF(k, &back)
	f.readGGUF(k, &back)
	if err := k.err(); err != nil {
		return err
	}
	for i, l := range x.config.Layers {
		if l != back.Layers[i] {
			return fmt.Errorf("%w: layer %d: want what GGUF can say, %+v, found %+v", ErrConfig, i, back.Layers[i], l)
		}
	}
	return nil
}

// mixtureKeys writes what is known of the experts and their router.
func (x *exporter) mixtureKeys(set func(string, any), num func(string, int)) {
	c, r := &x.config, &x.config.Router
	num("expert_count", r.Experts)
	num("expert_used_count", r.TopK)
	num("expert_feed_forward_length", c.ExpertFF)
	lead, step := routedLayers(c.Layers)
	num("leading_dense_block_count", lead)
	num("interleave_moe_layer_step", step)
	if c.SharedFF > 0 {
		num("expert_shared_count", max(1, c.SharedFF/max(c.ExpertFF, 1)))
		num("expert_shared_feed_forward_length", c.SharedFF)
	}
	if r.Groups > 1 {
		num("expert_group_count", r.Groups)
		num("expert_group_used_count", r.TopGroups)
	}
	if r.Scale != 0 && r.Scale != 1 || c.Latent != nil {
		scale := r.Scale
		if scale == 0 {
			scale = 1
		}
		set("expert_weights_scale", scale)
	}
	set("expert_weights_norm", r.Normalize)
	switch r.Score {
	case router.Softmax:
		num("expert_gating_func", 1)
	case router.Sigmoid, router.SigmoidTopK:
		num("expert_gating_func", 2)
	case router.SoftmaxTopK:
		num("expert_gating_func", 3)
	}
}

// routedLayers returns how many layers without routing come first, and the distance
// of those with it.
func routedLayers(layers []LayerConfig) (lead, step int) {
	var routed []int
	for i, l := range layers {
		if !l.Dense {
			routed = append(routed, i)
		}
	}
	if len(routed) < 2 {
		return routed[0], 1
	}
	return routed[0], routed[1] - routed[0]
}

func (x *exporter) scalingKeys(set func(string, any)) {
	c := &x.config
	s := &c.RoPE.Scaling
	if c.RoPE.Factors != nil {
		set("rope.scaling.type", "longrope")
		set("rope.scaling.original_context_length", uint32(s.Original))
		if s.Magnitude != 0 {
			set("rope.scaling.attn_factor", s.Magnitude)
		}
		return
	}
	switch s.Kind {
	case Linear:
		set("rope.scaling.type", "linear")
		set("rope.scaling.factor", s.Factor)
	case YaRN:
		set("rope.scaling.type", "yarn")
		set("rope.scaling.factor", s.Factor)
		set("rope.scaling.original_context_length", uint32(s.Original))
		set("rope.scaling.yarn_beta_fast", s.BetaFast)
		set("rope.scaling.yarn_beta_slow", s.BetaSlow)
		if c.Latent != nil { // AttnScale is m*m/sqrt(HeadDim), m = 1 + multiplier*ln(factor)
			m := math.Sqrt(float64(c.AttnScale) * math.Sqrt(float64(c.HeadDim)))
			set("rope.scaling.yarn_log_multiplier", float32((m-1)/math.Log(float64(s.Factor))))
		}
	}
}
