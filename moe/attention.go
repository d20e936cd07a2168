package moe

import (
	"math"

	"github.com/coterie-go/coterie/kernels"
)

// groupedQKV computes queries, keys and values, turns queries and keys by their
// positions, and writes keys and values to the cache.
func (r *runner) groupedQKV(l *layer, i int) {
	c, n := &r.m.cfg, len(r.ids)
	qn, kn, vn := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim, c.KVHeads*c.ValueDim
	r.products.Reset()
	if c.AttnGate {
		r.products.Add(l.q, &r.h.Acts, r.qHeads, 2*qn)
	} else {
		r.products.Add(l.q, &r.h.Acts, r.q, qn)
	}
	r.products.Add(l.k, &r.h.Acts, r.k, kn)
	r.products.Add(l.v, &r.h.Acts, r.v, vn)
	r.products.Run(r.m.pool, n)
	r.eachToken((*runner).groupedToken, l, i)
}

// groupedToken finishes token t's queries, keys and values.
func (r *runner) groupedToken(l *layer, i, t, _ int) {
	c := &r.m.cfg
	qn, kn, vn := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim, c.KVHeads*c.ValueDim
	q, k, v := r.q[t*qn:][:qn], r.k[t*kn:][:kn], r.v[t*vn:][:vn]
	if c.AttnGate { // each head's query is followed by its gate
		for h := range c.Heads {
			copy(q[h*c.HeadDim:][:c.HeadDim], r.qHeads[2*(t*qn+h*c.HeadDim):])
		}
	}
	if c.QKVClip > 0 {
		clamp(q, c.QKVClip)
		clamp(k, c.QKVClip)
		clamp(v, c.QKVClip)
	}
	if !c.LateQKNorm {
		r.normHeads(q, l.qNorm)
		r.normHeads(k, l.kNorm)
	}
	if l.turned {
		for h := range c.Heads {
			r.rotate(q[h*c.HeadDim:][:c.HeadDim], t)
		}
		for h := range c.KVHeads {
			r.rotate(k[h*c.HeadDim:][:c.HeadDim], t)
		}
		if c.QKNorm == UnitQKNorm {
			unitHeads(q, c.HeadDim, c.NormEps)
			unitHeads(k, c.HeadDim, c.NormEps)
		}
	} else if c.Temperature.Floor > 0 {
		scale(q, c.Temperature.at(r.pos[t]))
	}
	if c.LateQKNorm {
		r.normHeads(q, l.qNorm)
		r.normHeads(k, l.kNorm)
	}
	page, at := r.page(i, t)
	for h := range c.KVHeads {
		r.m.cache.setKeys(page, h, at, k[h*c.HeadDim:][:c.HeadDim], nil)
		r.m.cache.setValues(page, h, at, v[h*c.ValueDim:][:c.ValueDim])
	}
}

// page returns the page of layer i that token t's keys and values go to, and the
// row in it.
func (r *runner) page(i, t int) (page []byte, row int) {
	p := r.pos[t]
	return r.owner[t].layers[i].page(p / kernels.AttnBlock), p % kernels.AttnBlock
}

// normHeads norms all heads together or each by itself, as the length of w says.
func (r *runner) normHeads(x, w []float32) {
	if w == nil {
		return
	}
	for h := 0; h < len(x); h += len(w) {
		kernels.RMSNorm(x[h:h+len(w)], x[h:h+len(w)], w, r.m.cfg.NormEps)
	}
}

// unitHeads norms heads of d values each, without weights.
func unitHeads(x []float32, d int, eps float32) {
	for h := 0; h < len(x); h += d {
		kernels.RMSNorm(x[h:h+d], x[h:h+d], nil, eps)
	}
}

// at returns what queries at position pos are multiplied by.
func (t *Temperature) at(pos int) float32 {
	steps := math.Floor(float64((float32(pos) + 1) / t.Floor))
	return float32(float32(ln(1+steps))*t.Scale) + 1
}

func clamp(x []float32, limit float32) {
	for i, v := range x {
		x[i] = min(max(v, -limit), limit)
	}
}

// rotate turns a head's rotary values (the first ones) by token t's position.
func (r *runner) rotate(x []float32, t int) {
	d := r.m.cfg.RoPE.Dim
	cos, sin := r.cos[t*d/2:][:d/2], r.sin[t*d/2:][:d/2]
	if r.m.cfg.RoPE.Pairs {
		kernels.RotatePairs(x[:d], cos, sin)
	} else {
		kernels.RotateHalf(x[:d], cos, sin)
	}
}

// attnTile is how many tokens of a sequence one task takes.
const attnTile = 16

// attnTasks computes attention: a task is some heads that share keys and values,
// for some tokens of one sequence.
type attnTasks struct {
	r      *runner
	l      *layer
	layer  int
	heads  int // a task
	groups int // tasks for the same tokens
}

// attnWork is one worker's scratch.
type attnWork struct {
	q      []float32
	lo, hi []int32
	attn   kernels.Attn
	sinks  []float32
	delta  kernels.DeltaRun
	index  indexWork

	rows     []float32 // keys and values of a block, where they have to be expanded
	gathered []byte    // (AttnBlock rows of keys)
	scratch  kernels.Scratch
}

// attend sets heads (grouped) or mixed (latent) to the attention's output.
func (r *runner) attend(l *layer, i int) {
	c := &r.m.cfg
	a := &r.attending
	*a = attnTasks{r: r, l: l, layer: i, heads: c.Heads / r.m.cache.heads}
	if c.Latent != nil {
		a.heads = min(a.heads, max(8, (c.Heads+r.m.pool.Workers()-1)/r.m.pool.Workers()))
	}
	a.groups = (c.Heads + a.heads - 1) / a.heads
	tiles := 0
	for _, sq := range r.seqs {
		tiles += (sq.n + attnTile - 1) / attnTile
	}
	r.m.pool.Run(tiles*a.groups, a)
}

func (a *attnTasks) Do(worker, i int) {
	r := a.r
	c, lay, w := &r.m.cfg, &r.m.cache, &r.work[worker]
	tile, group := i/a.groups, i%a.groups
	sq := r.seqs[0]
	for _, sq = range r.seqs {
		if n := (sq.n + attnTile - 1) / attnTile; tile >= n {
			tile -= n
			continue
		}
		break
	}
	first := sq.first + tile*attnTile
	tokens := min(attnTile, sq.first+sq.n-first)
	h0 := group * a.heads
	heads := min(a.heads, c.Heads-h0)
	kvHead := h0 / (c.Heads / lay.heads)
	for ; tokens > 0 && r.sparse(first+tokens-1); tokens-- {
		a.attendSparse(w, &sq, first+tokens-1, h0, heads)
	}
	if tokens == 0 {
		return
	}
	n := tokens * heads

	// query t*heads+g is head h0+g of token first+t
	w.grow(n, lay.dk)
	for t := range tokens {
		copy(w.q[t*heads*lay.dk:][:heads*lay.dk], r.q[((first+t)*c.Heads+h0)*lay.dk:])
	}
	var sinks []float32
	if a.l.sinks != nil {
		for j := range n {
			w.sinks[j] = a.l.sinks[h0+j%heads]
		}
		sinks = w.sinks[:n]
	}
	w.attn.Reset(n, lay.dv, sinks)
	start := c.Layers[a.layer].firstSeen
	cache := &sq.s.layers[a.layer]
	lastPos := r.pos[first+tokens-1]
	for b := start(r.pos[first]) / kernels.AttnBlock; b <= lastPos/kernels.AttnBlock; b++ {
		base := b * kernels.AttnBlock
		for t := range tokens {
			pos := r.pos[first+t]
			lo, hi := int32(max(start(pos)-base, 0)), int32(min(pos+1-base, kernels.AttnBlock))
			for g := range heads {
				w.lo[t*heads+g], w.hi[t*heads+g] = lo, hi
			}
		}
		k, v := lay.block(cache.page(b), kvHead, 0, min(lastPos+1-base, kernels.AttnBlock), &w.rows)
		w.attn.Next = nil
		if b < lastPos/kernels.AttnBlock {
			w.attn.Next = cache.page(b + 1)[lay.keyAt(kvHead):]
		}
		w.attn.Attend(w.q, lay.dk, &k, &v, w.lo[:n], w.hi[:n], c.AttnScale, &w.scratch)
	}
	for t := range tokens {
		for g := range heads {
			if c.Latent != nil { // head by head, for the products that follow
				w.attn.Values(r.mixed.Row((h0+g)*len(r.ids)+first+t), t*heads+g)
			} else {
				out := r.heads.Row(first + t)[(h0+g)*c.ValueDim:][:c.ValueDim]
				w.attn.Values(out, t*heads+g)
				if c.AttnGate {
					gate := r.qHeads[((first+t)*c.Heads+h0+g)*2*c.HeadDim+c.HeadDim:]
					for i, v := range out {
						out[i] = v * kernels.Sigmoid(gate[i])
					}
				}
			}
		}
	}
}

func (w *attnWork) grow(n, dk int) {
	if len(w.q) < n*dk {
		w.q = make([]float32, n*dk)
	}
	if len(w.lo) < n {
		w.lo, w.hi, w.sinks = make([]int32, n), make([]int32, n), make([]float32, n)
	}
}
