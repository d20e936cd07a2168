package moe

import (
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/tensor"
)

// latentQKV computes queries and the latent row of each token, writes the row to
// the cache, and takes the queries into the latent space (absorption): a score
// q . (Wk c) is computed as (Wk' q) . c, so that keys never have to be expanded.
func (r *runner) latentQKV(l *layer, i int) {
	c, a, n := &r.m.cfg, r.m.cfg.Latent, len(r.ids)
	qn, kvn := c.Heads*c.HeadDim, a.KVRank+a.RopeDim
	r.products.Reset()
	r.products.Add(l.kvA, &r.h.Acts, r.kv, kvn)
	r.thenLatent(l, true)
	if l.qA != nil {
		r.products.Add(l.qA, &r.h.Acts, r.qa.F32, a.QRank)
		r.products.Run(r.pool, n)
		r.qa.Use(r.forms(l.qBForms))
		r.eachToken((*runner).compressedQuery, l, i)
		r.products.Reset()
		r.products.Add(l.qB, &r.qa.Acts, r.qHeads, qn)
	} else {
		r.products.Add(l.q, &r.h.Acts, r.qHeads, qn)
	}
	r.products.Run(r.pool, n)

	r.nope.Use(r.forms(l.kBForms))
	r.eachToken((*runner).latentToken, l, i)
	r.thenLatent(l, false)
	r.latent.run(r, l.kB, r.nope, r.q[a.RopeDim:], c.Heads*r.m.cache.dk, r.m.cache.dk)
}

// compressedQuery norms token t's compressed query.
func (r *runner) compressedQuery(l *layer, _, t, _ int) {
	kernels.RMSNorm(r.qa.Row(t), r.qa.Row(t), l.qANorm, r.m.cfg.NormEps)
	r.qa.Quantize(t)
}

// latentToken writes token t's latent row to the cache and takes its queries
// apart: what is turned goes to q, the rest to nope, head by head.
func (r *runner) latentToken(l *layer, i, t, _ int) {
	c, a, n := &r.m.cfg, r.m.cfg.Latent, len(r.ids)
	qn, kvn := c.Heads*c.HeadDim, a.KVRank+a.RopeDim
	kv := r.kv[t*kvn:][:kvn]
	latent, rope := kv[:a.KVRank], kv[a.KVRank:]
	kernels.RMSNorm(latent, latent, l.kvANorm, c.NormEps)
	r.rotate(rope, t)
	page, at := r.page(i, t)
	r.m.cache.setKeys(page, 0, at, rope, latent)
	for h := range c.Heads {
		q := r.qHeads[t*qn+h*c.HeadDim:][:c.HeadDim]
		copy(r.nope.Row(h*n+t), q[:a.NopeDim])
		r.nope.Quantize(h*n + t)
		turned := r.q[(t*c.Heads+h)*r.m.cache.dk:][:a.RopeDim]
		copy(turned, q[a.NopeDim:])
		r.rotate(turned, t)
	}
}

// latentValues takes the attention's output from the latent space to the heads'.
func (r *runner) latentValues(l *layer) {
	c, n := &r.m.cfg, len(r.ids)
	r.mixed.Prepare(r.pool, n*c.Heads, r.forms(l.vBForms))
	r.then(l.attnOut)
	r.latent.run(r, l.vB, r.mixed, r.heads.F32, c.Heads*c.ValueDim, c.ValueDim)
}

// latentTasks applies a map of its own to each head: rows h*n.. of x, head h, to
// dst[t*ld+h*step:].
type latentTasks struct {
	r        *runner
	maps     []tensor.Linear
	x        *rows
	dst      []float32
	ld, step int
	order    []int32
}

func (p *latentTasks) run(r *runner, maps []tensor.Linear, x *rows, dst []float32, ld, step int) {
	p.r, p.maps, p.x, p.dst, p.ld, p.step = r, maps, x, dst, ld, step
	for i := len(p.order); i < len(maps)*len(r.ids); i++ {
		p.order = append(p.order, int32(i))
	}
	p.show()
	r.pool.Run(len(maps), p)
}

// Ahead appends what the worker reads afterwards.
func (p *latentTasks) Ahead(dst [][]byte, worker int) [][]byte { return p.r.ahead.Ahead(dst, worker) }

func (p *latentTasks) Do(worker, h int) {
	n := len(p.r.ids)
	l := &p.maps[h]
	l.Apply(p.dst[h*p.step:], p.ld, 0, l.Out(), &p.x.Acts, p.order[h*n:(h+1)*n], n, &p.r.work[worker].scratch)
}
