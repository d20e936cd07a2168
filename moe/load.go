package moe

import (
	"errors"
	"fmt"
	"math"

	"github.com/coterie-go/coterie/expert"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/quant"
	"github.com/coterie-go/coterie/router"
	"github.com/coterie-go/coterie/tensor"
)

// loader binds a checkpoint's tensors to weights and collects every misfit.
type loader struct {
	*checkpoint
	errs  []error
	spare []expert.Expert // of a layer that did not fit
}

// bind returns the checkpoint's weights as views of its files.
func (c *checkpoint) bind() (*weights, error) {
	c.askVectors()
	ld := &loader{checkpoint: c}
	cfg := &c.config
	w := &weights{
		embed: ld.linear("token_embd", -1, cfg.Vocab, cfg.Dim, false),
		norm:  ld.norm("output_norm.weight", -1, cfg.Dim),
	}
	if cfg.Norm == LayerNorm {
		w.bias = ld.vector("output_norm.bias", -1, cfg.Dim)
	}
	if cfg.TiedOutput {
		w.output = w.embed
	} else {
		w.output = ld.linear("output", -1, cfg.Vocab, cfg.Dim, true)
	}
	w.layers = make([]layer, len(cfg.Layers))
	for i := range w.layers {
		ld.layer(&w.layers[i], i)
		if len(ld.errs) > 100 {
			ld.errs = append(ld.errs, fmt.Errorf("%w: and perhaps more, in layers from %d on", ErrTensor, i+1))
			break
		}
	}
	if err := errors.Join(ld.errs...); err != nil {
		return nil, fmt.Errorf("%s: %w", c.path, err)
	}
	return w, nil
}

func (ld *loader) layer(l *layer, i int) {
	c := &ld.config
	l.window, l.chunk, l.turned = c.Layers[i].Window, c.Layers[i].Chunk, !c.Layers[i].NoRoPE
	l.attnNorm = ld.norm("attn_norm.weight", i, c.Dim)
	l.ffnNorm = ld.norm("ffn_norm.weight", i, c.Dim)
	if c.Norm == LayerNorm {
		l.attnBias, l.ffnBias = ld.vector("attn_norm.bias", i, c.Dim), ld.vector("ffn_norm.bias", i, c.Dim)
	}
	switch {
	case c.Layers[i].Recurrent:
		ld.delta(l, i)
	case c.Latent != nil:
		ld.latent(l, i)
	default:
		qRows := c.Heads * c.HeadDim
		if c.AttnGate { // each head's query is followed by its gate
			qRows *= 2
		}
		l.q = ld.linear("attn_q", i, qRows, c.Dim, true)
		l.k = ld.linear("attn_k", i, c.KVHeads*c.HeadDim, c.Dim, true)
		l.v = ld.linear("attn_v", i, c.KVHeads*c.ValueDim, c.Dim, true)
		switch c.QKNorm {
		case HeadQKNorm:
			l.qNorm, l.kNorm = ld.norm("attn_q_norm.weight", i, c.HeadDim), ld.norm("attn_k_norm.weight", i, c.HeadDim)
		case FullQKNorm:
			l.qNorm, l.kNorm = ld.norm("attn_q_norm.weight", i, c.Heads*c.HeadDim), ld.norm("attn_k_norm.weight", i, c.KVHeads*c.HeadDim)
		}
		l.sinks = ld.optional("attn_sinks.weight", i, c.Heads)
		need(&l.attnForms, l.q, l.k, l.v)
	}
	if l.delta == nil {
		l.attnOut = ld.linear("attn_output", i, c.Dim, c.Heads*c.ValueDim, true)
		need(&l.attnOutForms, l.attnOut)
	}

	if c.Layers[i].Dense {
		l.shared = ld.always("ffn_%s", i, c.DenseFF)
	} else {
		l.router = ld.linear("ffn_gate_inp", i, c.Router.Experts, c.Dim, true)
		l.selectBias = ld.optional("exp_probs_b.bias", i, c.Router.Experts)
		r, err := router.New(c.Router, l.selectBias)
		if err != nil {
			ld.errs = append(ld.errs, fmt.Errorf("%w: layer %d: %w", ErrConfig, i, err))
		}
		l.routes = r
		l.experts = ld.experts(i)
		if c.SharedFF > 0 {
			l.shared = ld.always("ffn_%s_shexp", i, c.SharedFF)
			if c.SharedGate {
				l.sharedGate = ld.linear("ffn_gate_inp_shexp", i, 1, c.Dim, false)
			}
		}
		need(&l.ffnForms, l.router, l.sharedGate)
		if len(l.experts) > 0 {
			need(&l.ffnForms, &l.experts[0].Gate, &l.experts[0].Up)
		}
	}
	for _, e := range l.shared {
		need(&l.ffnForms, &e.Gate, &e.Up)
	}
}

func need(f *tensor.Forms, linears ...*tensor.Linear) {
	for _, l := range linears {
		f.Need(l)
	}
}

// latent binds latent attention. Newer GGUF files hold the two halves of kv_b
// apart, the keys' half ready for absorption; hub and older GGUF files hold them
// head by head in one matrix, whose keys' half is then read by columns.
func (ld *loader) latent(l *layer, i int) {
	c, a := &ld.config, ld.config.Latent
	if a.QRank > 0 {
		l.qA = ld.linear("attn_q_a", i, a.QRank, c.Dim, true)
		l.qANorm = ld.vector("attn_q_a_norm.weight", i, a.QRank)
		l.qB = ld.linear("attn_q_b", i, c.Heads*c.HeadDim, a.QRank, true)
		need(&l.attnForms, l.qA)
		need(&l.qBForms, l.qB)
	} else {
		l.q = ld.linear("attn_q", i, c.Heads*c.HeadDim, c.Dim, true)
		need(&l.attnForms, l.q)
	}
	l.kvA = ld.linear("attn_kv_a_mqa", i, a.KVRank+a.RopeDim, c.Dim, true)
	l.kvANorm = ld.vector("attn_kv_a_norm.weight", i, a.KVRank)
	need(&l.attnForms, l.kvA)

	if _, ok, _ := ld.find(ld.name("attn_k_b.weight", i, 0)); ok && !ld.hub {
		kb, ok1 := ld.matrix("attn_k_b.weight", i, []int{c.Heads, a.KVRank, a.NopeDim})
		vb, ok2 := ld.matrix("attn_v_b.weight", i, []int{c.Heads, c.ValueDim, a.KVRank})
		if ok1 && ok2 {
			for h := range c.Heads {
				l.kB = append(l.kB, tensor.Linear{Weights: kb.Slice(h*a.KVRank, (h+1)*a.KVRank)})
				l.vB = append(l.vB, tensor.Linear{Weights: vb.Slice(h*c.ValueDim, (h+1)*c.ValueDim)})
			}
		}
	} else if w, ok := ld.matrix("attn_kv_b.weight", i, []int{c.Heads * (a.NopeDim + c.ValueDim), a.KVRank}); ok {
		for h := range c.Heads {
			at := h * (a.NopeDim + c.ValueDim)
			l.kB = append(l.kB, tensor.Linear{Weights: w.Slice(at, at+a.NopeDim), Transposed: true})
			l.vB = append(l.vB, tensor.Linear{Weights: w.Slice(at+a.NopeDim, at+a.NopeDim+c.ValueDim)})
		}
	}
	if c.Indexer != nil {
		ld.indexer(l, i)
	}
	kName, vName := ld.ggufName("attn_k_b.weight", i), ld.ggufName("attn_v_b.weight", i)
	for h := range l.kB {
		l.kB[h].Name, l.vB[h].Name = kName, vName
	}
	if len(l.kB) > 0 {
		need(&l.kBForms, &l.kB[0])
		need(&l.vBForms, &l.vB[0])
	}
}

// always binds a feed-forward network that every token passes through.
func (ld *loader) always(pattern string, i, ff int) []*expert.Expert {
	c := &ld.config
	part := func(which string, out, in int) tensor.Linear {
		if l := ld.linear(fmt.Sprintf(pattern, which), i, out, in, true); l != nil {
			return *l
		}
		return tensor.Linear{}
	}
	e := &expert.Expert{Gate: part("gate", ff, c.Dim), Up: part("up", ff, c.Dim), Down: part("down", c.Dim, ff)}
	if e.Gate.Format == nil || e.Up.Format == nil || e.Down.Format == nil {
		return nil // already reported
	}
	return []*expert.Expert{e}
}

// fail records a misfit.
func (ld *loader) fail(name, want string, found any) {
	ld.errs = append(ld.errs, fmt.Errorf("%w: %s: want %s, found %v", ErrTensor, name, want, found))
}

// view finds a tensor; a missing one is recorded.
func (ld *loader) view(role string, l, e int) (tensorView, bool) {
	name := ld.name(role, l, e)
	v, ok, err := ld.find(name)
	switch {
	case err != nil:
		ld.errs = append(ld.errs, err)
		return v, false
	case !ok:
		ld.fail(name, "a tensor", "none")
	}
	return v, ok
}

func sameShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// vector returns n values in float32.
func (ld *loader) vector(role string, l, n int) []float32 {
	if v, ok := ld.view(role, l, 0); ok {
		return ld.values(v, []int{n})
	}
	return nil
}

// norm returns n weights of a norm, which some hub checkpoints store as what they
// are more than one.
func (ld *loader) norm(role string, l, n int) []float32 {
	w := ld.vector(role, l, n)
	if ld.hub && ld.family.normsFromOne {
		for i := range w {
			w[i]++
		}
	}
	return w
}

// optional is vector for one that need not be there.
func (ld *loader) optional(role string, l, n int) []float32 {
	name := ld.name(role, l, 0)
	if v, ok, err := ld.find(name); name != "" && (ok || err != nil) {
		if err != nil {
			ld.errs = append(ld.errs, err)
			return nil
		}
		return ld.values(v, []int{n})
	}
	return nil
}

// values returns a small tensor in float32.
func (ld *loader) values(v tensorView, shape []int) []float32 {
	if !sameShape(v.shape, shape) && !sameShape(v.shape, append([]int{1}, shape...)) {
		ld.fail(v.name, fmt.Sprint("shape ", shape), v.shape)
		return nil
	}
	if v.typ != quant.F32 && v.typ != quant.F16 && v.typ != quant.BF16 {
		ld.fail(v.name, "F32, F16 or BF16", v.typ)
		return nil
	}
	n := 1
	for _, s := range shape {
		n *= s
	}
	dst := make([]float32, n)
	if err := quant.Dequantize(dst, v.typ, v.data); err != nil {
		ld.errs = append(ld.errs, fmt.Errorf("%w: %s: %w", ErrTensor, v.name, err))
	}
	for i, x := range dst {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			ld.errs = append(ld.errs, fmt.Errorf("%w: %s: value %d is %v", ErrNumber, v.name, i, x))
			break
		}
	}
	return dst
}

// linear binds role.weight (out, in), and role.bias where bias says there may be
// one. nil if the weight is missing or does not fit.
func (ld *loader) linear(role string, l, out, in int, bias bool) *tensor.Linear {
	w, ok := ld.matrix(role+".weight", l, []int{out, in})
	if !ok {
		return nil
	}
	t := &tensor.Linear{Weights: w, Name: ld.ggufName(role+".weight", l)}
	if bias {
		t.Bias = ld.optional(role+".bias", l, out)
	}
	return t
}

// matrix returns a tensor of two or more dimensions as rows; leading dimensions
// follow each other.
func (ld *loader) matrix(role string, l int, shape []int) (kernels.Weights, bool) {
	v, ok := ld.view(role, l, 0)
	if !ok {
		return kernels.Weights{}, false
	}
	return ld.rows(v, shape)
}

// rows checks a tensor and views it as rows of its last dimension.
func (ld *loader) rows(v tensorView, shape []int) (kernels.Weights, bool) {
	// a vector may stand for a matrix of one row
	if !sameShape(v.shape, shape) && !(shape[0] == 1 && sameShape(v.shape, shape[1:])) {
		ld.fail(v.name, fmt.Sprint("shape ", shape), v.shape)
		return kernels.Weights{}, false
	}
	f := v.typ.Format()
	k := shape[len(shape)-1]
	if f == nil || k%f.Block != 0 {
		ld.fail(v.name, "a type that holds weights in rows of "+fmt.Sprint(k), v.typ)
		return kernels.Weights{}, false
	}
	n := 1
	for _, s := range shape[:len(shape)-1] {
		n *= s
	}
	w := kernels.Weights{Format: f, Rows: n, K: k, Data: v.data, Stride: k / f.Block * f.Bytes}
	if len(v.data) != n*w.Stride {
		ld.fail(v.name, fmt.Sprint(n*w.Stride, " bytes"), len(v.data))
		return kernels.Weights{}, false
	}
	if v.typ == quant.F8E4M3 {
		return w, ld.scales(&w, v.name+"_scale_inv")
	}
	return w, true
}

// scales binds the scales of 128x128 tiles that lie beside 8-bit floats.
func (ld *loader) scales(w *kernels.Weights, name string) bool {
	v, ok, err := ld.find(name)
	if err != nil || !ok {
		ld.fail(name, "the scales of 8-bit floats", errors.Join(err, errors.New("none")))
		return false
	}
	cols := (w.K + 127) / 128
	w.Scale32, w.ScaleStride = ld.values(v, []int{(w.Rows + 127) / 128, cols}), cols
	return w.Scale32 != nil
}

// experts binds a layer's routed experts, from one tensor for each part or one
// for each expert and part, with gates and ups apart or together.
func (ld *loader) experts(i int) []expert.Expert {
	c := &ld.config
	n, ff := c.Router.Experts, c.ExpertFF
	list := ld.spare
	if ld.spare = nil; list == nil {
		list = make([]expert.Expert, n)
	}
	before := len(ld.errs)
	if ld.hub && ld.family.fused != separate && !ld.exists("ffn_gate_exps.weight", i) {
		ld.fusedPair(list, i)
		down := "ffn_down_exps"
		if _, both := ld.family.names["ffn_down_stack.weight"]; both {
			down = "ffn_down_stack"
		}
		ld.part(list, down, i, c.Dim, ff, func(e *expert.Expert) *tensor.Linear { return &e.Down })
	} else {
		ld.part(list, "ffn_gate_exps", i, ff, c.Dim, func(e *expert.Expert) *tensor.Linear { return &e.Gate })
		ld.part(list, "ffn_up_exps", i, ff, c.Dim, func(e *expert.Expert) *tensor.Linear { return &e.Up })
		ld.part(list, "ffn_down_exps", i, c.Dim, ff, func(e *expert.Expert) *tensor.Linear { return &e.Down })
	}
	if len(ld.errs) > before {
		ld.spare = list
		return nil
	}
	gate, up, down := ld.ggufName("ffn_gate_exps.weight", i), ld.ggufName("ffn_up_exps.weight", i), ld.ggufName("ffn_down_exps.weight", i)
	for e := range list {
		list[e].Gate.Name, list[e].Up.Name, list[e].Down.Name = gate, up, down
	}
	return list
}

// part binds one of the three matrices, (out, in), of all experts.
func (ld *loader) part(list []expert.Expert, role string, i, out, in int, which func(*expert.Expert) *tensor.Linear) {
	n := len(list)
	if ld.name(role+".weight", i, 0) != ld.name(role+".weight", i, 1) { // a tensor for each expert
		for e := range list {
			if len(ld.errs) > 100 {
				return
			}
			if v, ok := ld.view(role+".weight", i, e); ok {
				if w, ok := ld.rows(v, []int{out, in}); ok {
					which(&list[e]).Weights = w
				}
			}
		}
		return
	}
	w, transposed, ok := ld.stacked(role+".weight", i, out, in)
	if !ok {
		return
	}
	bias := ld.stackedBias(role+".bias", i, out)
	rows := w.Rows / n
	for e := range list {
		t := which(&list[e])
		t.Weights, t.Transposed = w.Slice(e*rows, (e+1)*rows), transposed
		if bias != nil {
			t.Bias = bias[e*out : (e+1)*out]
		}
	}
}

// stacked finds a tensor that holds a matrix (out, in) of every expert: as such,
// transposed in some hub checkpoints, or in the hub's MXFP4, where blocks and
// scales are two tensors.
func (ld *loader) stacked(role string, i, out, in int) (w kernels.Weights, transposed, ok bool) {
	n := ld.config.Router.Experts
	name := ld.name(role, i, 0)
	if ld.hub {
		if blocks, found, _ := ld.find(name + "_blocks"); found {
			w, ok = ld.mxfp4(blocks, name+"_scales", n, out, in)
			return w, false, ok
		}
	}
	v, found := ld.view(role, i, 0)
	if !found {
		return w, false, false
	}
	if transposed = ld.hub && !ld.family.stackedRows; transposed {
		out, in = in, out
	}
	w, ok = ld.rows(v, []int{n, out, in})
	return w, transposed, ok
}

func (ld *loader) stackedBias(role string, i, out int) []float32 {
	name := ld.name(role, i, 0)
	if v, ok, _ := ld.find(name); ok && name != "" {
		return ld.values(v, []int{ld.config.Router.Experts, out})
	}
	return nil
}

func (ld *loader) mxfp4(blocks tensorView, scales string, n, out, in int) (kernels.Weights, bool) {
	if in%32 != 0 || !sameShape(blocks.shape, []int{n, out, in / 32, 16}) {
		ld.fail(blocks.name, fmt.Sprint("shape ", []int{n, out, in / 32, 16}), blocks.shape)
		return kernels.Weights{}, false
	}
	s, ok, _ := ld.find(scales)
	if !ok || !sameShape(s.shape, []int{n, out, in / 32}) {
		ld.fail(scales, fmt.Sprint("shape ", []int{n, out, in / 32}), s.shape)
		return kernels.Weights{}, false
	}
	return kernels.Weights{Format: kernels.MXFP4Hub, Rows: n * out, K: in, Data: blocks.data, Stride: in / 2, Scale8: s.data, ScaleStride: in / 32}, true
}

// fusedPair binds gates and ups that one tensor holds together.
func (ld *loader) fusedPair(list []expert.Expert, i int) {
	c := &ld.config
	n, ff := len(list), c.ExpertFF
	w, transposed, ok := ld.stacked("ffn_gate_up_exps.weight", i, 2*ff, c.Dim)
	if !ok {
		return
	}
	bias := ld.stackedBias("ffn_gate_up_exps.bias", i, 2*ff)
	rows := w.Rows / n
	for e := range list {
		both := w.Slice(e*rows, (e+1)*rows)
		x := &list[e]
		x.Gate.Transposed, x.Up.Transposed = transposed, transposed
		switch {
		case ld.family.fused == halves && transposed:
			x.Gate.Weights, x.Up.Weights = both.Columns(0, ff), both.Columns(ff, 2*ff)
		case ld.family.fused == halves:
			x.Gate.Weights, x.Up.Weights = both.Slice(0, ff), both.Slice(ff, 2*ff)
		case transposed:
			x.Gate.Weights, x.Up.Weights, ok = both.EveryOtherColumn()
			if !ok {
				ld.fail(ld.name("ffn_gate_up_exps.weight", i, 0), "F32, F16 or BF16", w.Format.Name)
				return
			}
		default:
			x.Gate.Weights, x.Up.Weights = both.EveryOtherRow()
		}
		if bias != nil {
			b := bias[e*2*ff : (e+1)*2*ff]
			if ld.family.fused == halves {
				x.Gate.Bias, x.Up.Bias = b[:ff], b[ff:]
			} else {
				x.Gate.Bias, x.Up.Bias = make([]float32, ff), make([]float32, ff)
				for j := range ff {
					x.Gate.Bias[j], x.Up.Bias[j] = b[2*j], b[2*j+1]
				}
			}
		}
	}
}
