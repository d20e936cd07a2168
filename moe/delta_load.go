package moe

import (
	"fmt"

	"github.com/coterie-go/coterie/kernels"
)

// delta binds a gated delta net. Queries, keys, values and gates come from one
// matrix, sorted by key head, or from two; the two gates of the recurrence
// likewise.
func (ld *loader) delta(l *layer, i int) {
	c, d := &ld.config, ld.config.Delta
	n := &deltaLayer{}
	for j := range i {
		if c.Layers[j].Recurrent {
			n.at += d.history() + d.memory()
		}
	}
	keys, values, share := d.KeyHeads*d.KeyDim, d.ValueHeads*d.ValueDim, d.ValueHeads/d.KeyHeads
	add := func(role string, out int) int { // returns where the outputs begin
		at := n.width
		n.in = append(n.in, ld.linear(role, i, out, c.Dim, false))
		n.width += out
		return at
	}
	n.q, n.k = make([]int, d.KeyHeads), make([]int, d.KeyHeads)
	n.v, n.z = make([]int, d.ValueHeads), make([]int, d.ValueHeads)
	n.beta, n.alpha = make([]int, d.ValueHeads), make([]int, d.ValueHeads)

	if ld.exists("ssm_in.weight", i) { // for each key head: query, key, values, gates
		at, each := add("ssm_in", 2*keys+2*values), 2*d.KeyDim+2*share*d.ValueDim
		for h := range d.KeyHeads {
			n.q[h], n.k[h] = at+h*each, at+h*each+d.KeyDim
			for s := range share {
				n.v[h*share+s] = n.k[h] + d.KeyDim + s*d.ValueDim
				n.z[h*share+s] = n.k[h] + d.KeyDim + (share+s)*d.ValueDim
			}
		}
	} else {
		at, z := add("attn_qkv", 2*keys+values), add("attn_gate", values)
		for h := range d.KeyHeads {
			n.q[h], n.k[h] = at+h*d.KeyDim, at+keys+h*d.KeyDim
		}
		for j := range d.ValueHeads {
			n.v[j], n.z[j] = at+2*keys+j*d.ValueDim, z+j*d.ValueDim
		}
	}
	if ld.exists("ssm_ba.weight", i) { // for each key head: betas, alphas
		at := add("ssm_ba", 2*d.ValueHeads)
		for j := range d.ValueHeads {
			n.beta[j] = at + j/share*2*share + j%share
			n.alpha[j] = n.beta[j] + share
		}
	} else {
		beta, alpha := add("ssm_beta", d.ValueHeads), add("ssm_alpha", d.ValueHeads)
		for j := range d.ValueHeads {
			n.beta[j], n.alpha[j] = beta+j, alpha+j
		}
	}
	need(&l.attnForms, n.in...)

	n.taps = ld.taps(i)
	n.step = ld.vector("ssm_dt.bias", i, d.ValueHeads)
	n.norm = ld.vector("ssm_norm.weight", i, d.ValueDim)
	n.decay = ld.vector("ssm_a", i, d.ValueHeads)
	if ld.hub { // its logarithm
		for j, a := range n.decay {
			n.decay[j] = -kernels.Exp(a)
		}
	}
	l.attnOut = ld.linear("ssm_out", i, c.Dim, values, false)
	need(&l.attnOutForms, l.attnOut)
	l.delta = n
}

// exists reports whether the checkpoint has a tensor for a role.
func (ld *loader) exists(role string, l int) bool {
	name := ld.name(role, l, 0)
	if name == "" {
		return false
	}
	_, ok, _ := ld.find(name)
	return ok
}

// taps returns the convolution's weights, (Conv, channels), from (channels, Conv)
// or (channels, 1, Conv).
func (ld *loader) taps(i int) []float32 {
	d := ld.config.Delta
	v, ok := ld.view("ssm_conv1d.weight", i, 0)
	if !ok {
		return nil
	}
	n := d.channels()
	shape := []int{n, d.Conv}
	if len(v.shape) == 3 {
		shape = []int{n, 1, d.Conv}
	}
	w := ld.values(v, shape)
	if w == nil {
		return nil
	}
	taps := make([]float32, len(w))
	for c := range n {
		for t := range d.Conv {
			taps[t*n+c] = w[c*d.Conv+t]
		}
	}
	return taps
}

// validate reports misfits of the sizes.
func (d *DeltaConfig) validate(bad func(name, want string, found any)) {
	for _, f := range []struct {
		name  string
		v     int
		limit int
	}{
		{"delta net key heads", d.KeyHeads, 1 << 12}, {"delta net value heads", d.ValueHeads, 1 << 12},
		{"delta net key size", d.KeyDim, 1 << 12}, {"delta net value size", d.ValueDim, 1 << 12},
		{"delta net convolution", d.Conv, 64},
	} {
		if f.v < 1 || f.v > f.limit {
			bad(f.name, fmt.Sprint("1 to ", f.limit), f.v)
		}
	}
	if d.KeyHeads > 0 && d.ValueHeads%d.KeyHeads != 0 {
		bad("delta net value heads", fmt.Sprint("a multiple of the key heads ", d.KeyHeads), d.ValueHeads)
	}
}
