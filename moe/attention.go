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
	r.then(l.attnOut)
	r.products.Run(r.pool, n)
	r.eachToken((*runner).groupedToken, l, i)
}

// groupedToken finishes token t's queries, keys and values.
func (r *runner) groupedToken(l *layer, i, t, _ int) {
	c := &r.m.cfg
	qn, kn, vn := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim, c.KVHeads*c.ValueDim
	q, k, v := r.q[t*qn:][:qn], r.k[t*kn:][:kn], r.v[t*vn:][:vn]
	if c.AttnGate { // each head's query is followed by its gate
		r.check(t, r.qHeads[2*t*qn:][:2*qn]) // gates saturate
		for h := range c.Heads {
			copy(q[h*c.HeadDim:][:c.HeadDim], r.qHeads[2*(t*qn+h*c.HeadDim):])
		}
	}
	if c.QKVClip > 0 {
		r.check(t, q)
		r.check(t, k)
		r.check(t, v)
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
