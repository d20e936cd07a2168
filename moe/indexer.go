package moe

import (
	"fmt"

	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/tensor"
)

// IndexerConfig describes sparse attention by an indexer (DeepSeek-V3.2, 2025): a
// token attends to those TopK tokens before it whose index keys fit its index
// queries best. It goes with latent attention.
type IndexerConfig struct {
	Heads, Dim int
	TopK       int
}

// indexer holds an indexer's parameters.
type indexer struct {
	q          *tensor.Linear // (Heads*Dim, QRank)
	k          *tensor.Linear // (Dim, Dim of the model)
	weights    *tensor.Linear // (Heads, Dim of the model)
	norm, bias []float32      // (Dim) of keys
}

// indexEps is what the reference's LayerNorm of index keys adds to the variance.
const indexEps = 1e-6

// indexBuffers is a wave of activations of indexers.
type indexBuffers struct {
	q, k, weights []float32 // (n, Heads*Dim), (n, Dim), (n, Heads)
	chosen        []int32   // (n, TopK), ascending
	tasks         indexTasks
}

func (b *indexBuffers) grow(c *IndexerConfig, n int) {
	b.q, b.k = make([]float32, n*c.Heads*c.Dim), make([]float32, n*c.Dim)
	b.weights, b.chosen = make([]float32, n*c.Heads), make([]int32, n*c.TopK)
}

// index writes the tokens' index keys to the cache and chooses what each of them
// attends to.
func (r *runner) index(l *layer, i int) {
	x, b, n := r.m.cfg.Indexer, &r.indexing, len(r.ids)
	r.products.Reset()
	r.products.Add(l.index.q, &r.qa.Acts, b.q, x.Heads*x.Dim)
	r.products.Add(l.index.k, &r.h.Acts, b.k, x.Dim)
	r.products.Add(l.index.weights, &r.h.Acts, b.weights, x.Heads)
	r.products.Run(r.pool, n)
	sparse := false
	for _, sq := range r.seqs {
		cache := &sq.s.layers[i]
		for t := sq.first; t < sq.first+sq.n; t++ {
			k := b.k[t*x.Dim:][:x.Dim]
			r.check(t, k) // what is no number would just not be attended to
			r.check(t, b.q[t*x.Heads*x.Dim:][:x.Heads*x.Dim])
			r.check(t, b.weights[t*x.Heads:][:x.Heads])
			kernels.LayerNorm(k, k, l.index.norm, l.index.bias, indexEps)
			r.rotateIndex(k, t)
			r.m.cache.setIndex(cache.page(r.pos[t]/kernels.AttnBlock), r.pos[t]%kernels.AttnBlock, k)
			for h := range x.Heads {
				r.rotateIndex(b.q[(t*x.Heads+h)*x.Dim:][:x.Dim], t)
			}
			sparse = sparse || r.sparse(t)
		}
	}
	if sparse {
		b.tasks.run(r, i)
	}
}

// rotateIndex turns an index query or key; its pairs are halves, whatever those of
// attention are.
func (r *runner) rotateIndex(x []float32, t int) {
	d := r.m.cfg.RoPE.Dim
	kernels.RotateHalf(x[:d], r.cos[t*d/2:][:d/2], r.sin[t*d/2:][:d/2])
}

// sparse reports whether there is more before token t than it may attend to.
func (r *runner) sparse(t int) bool {
	x := r.m.cfg.Indexer
	return x != nil && r.pos[t]+1 > x.TopK
}

// indexTasks scores and chooses for a token a task. A few tokens alone, as in
// decoding, are scored in spans of positions first, so that all workers have a
// part, and chosen for after that.
type indexTasks struct {
	r     *runner
	layer int

	spans  int       // of positions, a task each; 1: a task scores all and chooses
	scored bool      // only choices are left
	scores []float32 // (n, ld) where there are spans
	ld     int
}

// indexSpan is how many blocks of positions a task scores.
const indexSpan = 4

// indexWork is one worker's scratch.
type indexWork struct {
	scores []float32 // (positions)
	block  []float32 // (Heads, AttnBlock)
	q      kernels.Acts
	keys   kernels.Weights
	picker picker
}

func (p *indexTasks) run(r *runner, layer int) {
	n := len(r.ids)
	p.r, p.layer, p.spans, p.scored, p.ld = r, layer, 1, false, 0
	for _, pos := range r.pos {
		p.ld = max(p.ld, (pos/kernels.AttnBlock+1)*kernels.AttnBlock)
	}
	if n < 2*r.pool.Workers() {
		p.spans = (p.ld/kernels.AttnBlock + indexSpan - 1) / indexSpan
	}
	if p.spans == 1 {
		r.pool.Run(n, p)
		return
	}
	if len(p.scores) < n*p.ld {
		p.scores = make([]float32, 2*n*p.ld)
	}
	r.pool.Run(n*p.spans, p)
	p.scored = true
	r.pool.Run(n, p)
}

func (p *indexTasks) Do(worker, i int) {
	r := p.r
	x, w := r.m.cfg.Indexer, &r.work[worker].index
	t, from, to := i, 0, 0 // blocks to score
	if !p.scored {
		t = i / p.spans
		to = r.pos[t]/kernels.AttnBlock + 1
		if p.spans > 1 {
			from = i % p.spans * indexSpan
			to = min(to, from+indexSpan)
		}
	}
	if !r.sparse(t) {
		return
	}
	n := r.pos[t] + 1
	var scores []float32
	if p.spans > 1 {
		scores = p.scores[t*p.ld:][:p.ld]
	} else {
		if len(w.scores) < to*kernels.AttnBlock {
			w.scores = make([]float32, 2*to*kernels.AttnBlock)
		}
		scores = w.scores
	}
	for b := from; b < to; b++ {
		p.score(worker, t, b, scores[b*kernels.AttnBlock:][:kernels.AttnBlock])
	}
	if p.spans == 1 || p.scored {
		w.picker.pick(r.indexing.chosen[t*x.TopK:][:x.TopK], scores[:n], kernels.AttnBlock)
	}
}

// score sets dst to the scores of block b's positions s for token t: the sum over
// the heads of weight * max(q . k[s], 0).
func (p *indexTasks) score(worker, t, b int, dst []float32) {
	r := p.r
	x, w := r.m.cfg.Indexer, &r.work[worker].index
	if len(w.block) < x.Heads*kernels.AttnBlock {
		w.block = make([]float32, x.Heads*kernels.AttnBlock)
	}
	w.q = kernels.Acts{K: x.Dim, F32: r.indexing.q[t*x.Heads*x.Dim:][:x.Heads*x.Dim]}
	w.keys = r.m.cache.indexKeys(r.seqOf(t).s.layers[p.layer].page(b))
	kernels.Mul(w.block, kernels.AttnBlock, &w.keys, &w.q, nil, x.Heads, &r.work[worker].scratch)
	clear(dst)
	for h := range x.Heads {
		s := w.block[h*kernels.AttnBlock:][:kernels.AttnBlock]
		for j, v := range s {
			s[j] = max(v, 0)
		}
		kernels.Axpy(dst, r.indexing.weights[t*x.Heads+h], s)
	}
}

// attendSparse computes attention of heads h0, h0+1, ... of token t over what the
// indexer chose. Chosen rows are gathered into blocks, in the order of their
// positions.
func (a *attnTasks) attendSparse(w *attnWork, s *State, t, h0, heads int) {
	r := a.r
	c, lay := &r.m.cfg, &r.m.cache
	chosen := r.indexing.chosen[t*c.Indexer.TopK:][:c.Indexer.TopK]
	row := lay.k.bytes
	if len(w.gathered) < kernels.AttnBlock*row {
		w.gathered = make([]byte, kernels.AttnBlock*row)
	}
	w.grow(heads, lay.dk)
	w.attn.Reset(heads, lay.dv, nil)
	q := r.q[(t*c.Heads+h0)*lay.dk:][:heads*lay.dk]
	cache := &s.layers[a.layer]
	for len(chosen) > 0 {
		some := chosen[:min(len(chosen), kernels.AttnBlock)]
		chosen = chosen[len(some):]
		for i, pos := range some {
			copy(w.gathered[i*row:], cache.page(int(pos / kernels.AttnBlock))[int(pos%kernels.AttnBlock)*row:][:row])
		}
		for g := range heads {
			w.lo[g], w.hi[g] = 0, int32(len(some))
		}
		w.k, w.v = lay.block(w.gathered, 0, 0, len(some), &w.rows)
		w.attn.Attend(q, lay.dk, &w.k, &w.v, w.lo[:heads], w.hi[:heads], c.AttnScale, &w.scratch)
	}
	for g := range heads {
		w.attn.Values(r.mixed.Row((h0+g)*len(r.ids)+t), g)
	}
}

// indexer binds an indexer.
func (ld *loader) indexer(l *layer, i int) {
	c, x := &ld.config, ld.config.Indexer
	l.index = &indexer{
		q:       ld.linear("indexer.attn_q_b", i, x.Heads*x.Dim, c.Latent.QRank, false),
		k:       ld.linear("indexer.attn_k", i, x.Dim, c.Dim, false),
		weights: ld.linear("indexer.proj", i, x.Heads, c.Dim, false),
		norm:    ld.vector("indexer.k_norm.weight", i, x.Dim),
		bias:    ld.vector("indexer.k_norm.bias", i, x.Dim),
	}
	need(&l.qBForms, l.index.q)
	need(&l.attnForms, l.index.k, l.index.weights)
}

// validate reports misfits of the sizes.
func (x *IndexerConfig) validate(c *Config, bad func(name, want string, found any)) {
	switch {
	case c.Latent == nil || c.Latent.QRank < 1:
		bad("indexer", "latent attention with a query rank", "none")
	case x.Heads < 1 || x.Heads > 1<<12:
		bad("indexer heads", "1 to 4096", x.Heads)
	case x.Dim < c.RoPE.Dim || x.Dim > 1<<12:
		bad("indexer head size", fmt.Sprintf("%d to 4096", c.RoPE.Dim), x.Dim)
	case x.TopK < 1 || x.TopK > 1<<20:
		bad("indexer top-k", "1 to 1048576", x.TopK)
	}
}
