// Package synth writes GGUF files of the true shape of known models with random
// weights: right for speed and memory, meaningless as text.
package synth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/quant"
)

// ErrShape says that a shape or type is not known.
var ErrShape = errors.New("synth: unknown shape or type")

// shape is a published model's dimensions.
type shape struct {
	arch             string
	dim, layers      int
	heads, kvHeads   int
	headDim          int
	experts, topK    int
	ff, denseFF      int
	dense            int // leading dense layers
	shared           int // shared experts
	vocab            int
	base             float32
	qRank            int // latent attention
	kvRank           int
	nope, rope, vDim int
	groups, kept     int
	gating           int // expert_gating_func
	scale            float32
	nativeExperts    quant.Type // type of expert matrices whatever is asked for, if not F32
	biases, sinks    bool
	window           int
	qkNorm           int // 1: each head, 2: all heads

	skew float64 // of routers
}

var shapes = map[string]shape{
	"olmoe-1b-7b":      {arch: "olmoe", dim: 2048, layers: 16, heads: 16, kvHeads: 16, headDim: 128, experts: 64, topK: 8, ff: 1024, vocab: 50304, base: 10000, qkNorm: 2},
	"qwen3-30b-a3b":    {arch: "qwen3moe", dim: 2048, layers: 48, heads: 32, kvHeads: 4, headDim: 128, experts: 128, topK: 8, ff: 768, vocab: 151936, base: 1e6, qkNorm: 1},
	"deepseek-v2-lite": {arch: "deepseek2", dim: 2048, layers: 27, heads: 16, experts: 64, topK: 6, ff: 1408, denseFF: 10944, dense: 1, shared: 2, vocab: 102400, base: 10000, kvRank: 512, nope: 128, rope: 64, vDim: 128, gating: 1, scale: 1},
	"gpt-oss-20b":      {arch: "gpt-oss", dim: 2880, layers: 24, heads: 64, kvHeads: 8, headDim: 64, experts: 32, topK: 4, ff: 2880, vocab: 201088, base: 150000, nativeExperts: quant.MXFP4, biases: true, sinks: true, window: 128},
	"deepseek-r1":      {arch: "deepseek2", dim: 7168, layers: 61, heads: 128, experts: 256, topK: 8, ff: 2048, denseFF: 18432, dense: 3, shared: 1, vocab: 129280, base: 10000, qRank: 1536, kvRank: 512, nope: 128, rope: 64, vDim: 128, groups: 8, kept: 4, gating: 2, scale: 2.5},
}

// Shapes returns the names of the shapes.
func Shapes() []string { return slices.Sorted(maps.Keys(shapes)) }

// Write writes a model of the named shape to w. typ is a type or mix, such as
// q4_k_m or q8_0; layers, if not 0, replaces the model's own number. Of the
// leading dense layers at most one is kept then, so that the rest route.
func Write(ctx context.Context, w io.Writer, name, typ string, layers int, progress func(done, total int64), opts ...Option) error {
	s, ok := shapes[name]
	if !ok {
		return fmt.Errorf("%w: shape: want one of %s, found %q", ErrShape, strings.Join(Shapes(), ", "), name)
	}
	r, err := quant.Mix(typ)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrShape, err)
	}
	if s.nativeExperts != quant.F32 { // such models come with their dense part in 8 bits
		if r, err = quant.Mix("q8_0"); err != nil {
			return err
		}
	}
	if layers > 0 && layers < s.layers {
		s.layers, s.dense = layers, min(s.dense, 1)
	}
	for _, o := range opts {
		o(&s)
	}
	g := &generator{shape: s, recipe: r, w: gguf.NewWriter(), ctx: ctx, report: progress, rng: rand.New(rand.NewPCG(1, 2)), pools: map[quant.Type][]byte{}}
	g.keys(name)
	g.tensors()
	if g.err != nil {
		return g.err
	}
	_, err = g.w.WriteTo(w)
	return err
}

type generator struct {
	shape
	recipe      *quant.Recipe
	w           *gguf.Writer
	ctx         context.Context
	rng         *rand.Rand
	pools       map[quant.Type][]byte
	done, total int64
	report      func(done, total int64)
	err         error
}

func (g *generator) keys(name string) {
	set := func(k string, v any) { g.w.SetKV(g.arch+"."+k, v) }
	num := func(k string, v int) {
		if v != 0 {
			set(k, uint32(v))
		}
	}
	g.w.SetKV("general.architecture", g.arch)
	g.w.SetKV("general.name", "synthetic "+name)
	if n, ok := g.recipe.FileType(); ok {
		g.w.SetKV("general.file_type", n)
	}
	g.w.SetKV("tokenizer.ggml.model", "none")
	num("context_length", 16384)
	num("embedding_length", g.dim)
	num("block_count", g.layers)
	num("vocab_size", g.vocab)
	num("attention.head_count", g.heads)
	num("attention.head_count_kv", max(g.kvHeads, 1))
	set("attention.layer_norm_rms_epsilon", float32(1e-6))
	set("rope.freq_base", g.base)
	num("expert_count", g.experts)
	num("expert_used_count", g.topK)
	num("expert_feed_forward_length", g.ff)
	num("feed_forward_length", max(g.denseFF, g.ff))
	num("leading_dense_block_count", g.dense)
	num("expert_shared_count", g.shared)
	num("expert_gating_func", g.gating)
	num("expert_group_count", g.groups)
	num("expert_group_used_count", g.kept)
	if g.scale != 0 {
		set("expert_weights_scale", g.scale)
		set("expert_weights_norm", g.gating == 2)
	}
	num("attention.key_length", g.headDim)
	num("attention.value_length", g.headDim)
	num("attention.sliding_window", g.window)
	if g.window > 0 {
		set("rope.scaling.type", "yarn")
		set("rope.scaling.factor", float32(32))
		num("rope.scaling.original_context_length", 4096)
	}
	if g.kvRank > 0 {
		num("attention.q_lora_rank", g.qRank)
		num("attention.kv_lora_rank", g.kvRank)
		num("attention.key_length", g.kvRank+g.rope)
		num("attention.value_length", g.kvRank)
		num("attention.key_length_mla", g.nope+g.rope)
		num("attention.value_length_mla", g.vDim)
		num("rope.dimension_count", g.rope)
	}
}

func (g *generator) tensors() {
	g.embedding("token_embd.weight")
	g.ones("output_norm.weight", g.dim)
	g.matrix("output.weight", -1, g.vocab, g.dim)
	for i := range g.layers {
		n := func(s string) string { return fmt.Sprintf("blk.%d.%s", i, s) }
		matrix := func(name string, dims ...int) { g.matrix(n(name)+".weight", i, dims...) }
		linear := func(name string, out, in int) {
			matrix(name, out, in)
			if g.biases {
				g.noise(n(name)+".bias", out)
			}
		}
		g.ones(n("attn_norm.weight"), g.dim)
		if g.window > 0 {
			g.ones(n("post_attention_norm.weight"), g.dim)
		} else {
			g.ones(n("ffn_norm.weight"), g.dim)
		}
		if g.kvRank > 0 {
			qIn := g.dim
			if g.qRank > 0 {
				matrix("attn_q_a", g.qRank, g.dim)
				g.ones(n("attn_q_a_norm.weight"), g.qRank)
				matrix("attn_q_b", g.heads*(g.nope+g.rope), g.qRank)
			} else {
				matrix("attn_q", g.heads*(g.nope+g.rope), qIn)
			}
			matrix("attn_kv_a_mqa", g.kvRank+g.rope, g.dim)
			g.ones(n("attn_kv_a_norm.weight"), g.kvRank)
			matrix("attn_k_b", g.heads, g.kvRank, g.nope)
			matrix("attn_v_b", g.heads, g.vDim, g.kvRank)
			matrix("attn_output", g.dim, g.heads*g.vDim)
		} else {
			q, kv := g.heads*g.headDim, g.kvHeads*g.headDim
			linear("attn_q", q, g.dim)
			linear("attn_k", kv, g.dim)
			linear("attn_v", kv, g.dim)
			linear("attn_output", g.dim, q)
			switch g.qkNorm {
			case 1:
				q, kv = g.headDim, g.headDim
				fallthrough
			case 2:
				g.ones(n("attn_q_norm.weight"), q)
				g.ones(n("attn_k_norm.weight"), kv)
			}
			if g.sinks {
				g.noise(n("attn_sinks.weight"), g.heads)
			}
		}
		if i < g.dense {
			matrix("ffn_gate", g.denseFF, g.dim)
			matrix("ffn_up", g.denseFF, g.dim)
			matrix("ffn_down", g.dim, g.denseFF)
			continue
		}
		g.router(n("ffn_gate_inp.weight"))
		if g.gating == 2 {
			g.noise(n("exp_probs_b.bias"), g.experts)
		}
		matrix("ffn_gate_exps", g.experts, g.ff, g.dim)
		matrix("ffn_up_exps", g.experts, g.ff, g.dim)
		matrix("ffn_down_exps", g.experts, g.dim, g.ff)
		if g.biases {
			g.noise(n("ffn_gate_inp.bias"), g.experts)
			g.noise(n("ffn_gate_exps.bias"), g.experts, g.ff)
			g.noise(n("ffn_up_exps.bias"), g.experts, g.ff)
			g.noise(n("ffn_down_exps.bias"), g.experts, g.dim)
		}
		if g.shared > 0 {
			matrix("ffn_gate_shexp", g.shared*g.ff, g.dim)
			matrix("ffn_up_shexp", g.shared*g.ff, g.dim)
			matrix("ffn_down_shexp", g.dim, g.shared*g.ff)
		}
	}
}

// matrix adds a matrix, or one for each expert or head, in the recipe's type.
func (g *generator) matrix(name string, layer int, dims ...int) {
	rows, cols := dims[len(dims)-2], dims[len(dims)-1]
	t := g.recipe.TypeFor(name, layer, g.layers, g.experts, rows, cols)
	if g.nativeExperts != quant.F32 && strings.Contains(name, "_exps") {
		t = g.nativeExperts
	}
	g.add(name, t, dims, func(w io.Writer, size int64) error {
		pool, err := g.pool(t)
		if err != nil {
			return err
		}
		// Anywhere in the pool a block may begin; rows that differ keep caches honest.
		at := g.rng.IntN(len(pool)/2/t.BlockBytes()) * t.BlockBytes()
		for size > 0 {
			if err := g.ctx.Err(); err != nil {
				return err
			}
			part := pool[at:min(int64(at)+size, int64(len(pool)))]
			if _, err := w.Write(part); err != nil {
				return err
			}
			size -= int64(len(part))
			at = 0
			g.progress(int64(len(part)))
		}
		return nil
	})
}

// poolValues is how many random weights of a type are made; files repeat them.
const poolValues = 1 << 22

func (g *generator) pool(t quant.Type) ([]byte, error) {
	if p := g.pools[t]; p != nil {
		return p, nil
	}
	x := make([]float32, 1<<16)
	var p []byte
	for len(p) < t.RowBytes(poolValues) {
		for i := range x {
			x[i] = float32(g.rng.NormFloat64() * 0.02)
		}
		b := make([]byte, t.RowBytes(len(x)))
		if err := quant.Quantize(b, t, x, nil); err != nil {
			return nil, err
		}
		p = append(p, b...)
	}
	g.pools[t] = p
	return p, nil
}

func (g *generator) ones(name string, n int) {
	g.floats(name, []int{n}, func() float32 { return 1 })
}

func (g *generator) noise(name string, dims ...int) {
	g.floats(name, dims, func() float32 { return float32(g.rng.NormFloat64() * 0.02) })
}

func (g *generator) floats(name string, dims []int, value func() float32) {
	g.add(name, quant.F32, dims, func(w io.Writer, size int64) error {
		x := make([]float32, size/4)
		for i := range x {
			x[i] = value()
		}
		b := make([]byte, size)
		if err := quant.Quantize(b, quant.F32, x, nil); err != nil {
			return err
		}
		_, err := w.Write(b)
		g.progress(size)
		return err
	})
}

func (g *generator) add(name string, t quant.Type, dims []int, data func(w io.Writer, size int64) error) {
	ne := make([]uint64, len(dims))
	size := int64(t.RowBytes(dims[len(dims)-1]))
	for i, n := range dims {
		ne[len(dims)-1-i] = uint64(n)
		if i < len(dims)-1 {
			size *= int64(n)
		}
	}
	g.total += size
	g.w.AddTensor(name, uint32(t), ne, size, func(w io.Writer) error { return data(w, size) })
}

func (g *generator) progress(n int64) {
	g.done += n
	if g.report != nil {
		g.report(g.done, g.total)
	}
}
