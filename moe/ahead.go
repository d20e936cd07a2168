package moe

// Workers that wait for others ask for the weights that come next, see [par.Ahead].
// Each step of a layer says here what that is; it has no influence on the results.

// then says that the next loop is over the rows of these matrices.
func (r *runner) then(ls ...*linear) {
	r.ahead.Reset()
	r.ahead.Add(ls...)
}

// thenLatent says what follows the products of latent attention: its own maps of
// each head, with those of the keys or without, and the output's matrix.
func (r *runner) thenLatent(l *layer, keys bool) {
	r.ahead.Reset()
	if keys {
		r.ahead.AddEach(l.kB)
	}
	r.ahead.AddEach(l.vB)
	r.ahead.Add(l.attnOut)
}

// thenMixture says that layer l's choice of experts follows, or a mixture without.
func (r *runner) thenMixture(l *layer) {
	if l.router != nil {
		r.then(l.router)
	} else {
		r.thenShared(l)
	}
}

// thenShared says that the experts that are always on follow.
func (r *runner) thenShared(l *layer) {
	r.ahead.Reset()
	if len(l.shared) > 0 {
		r.ahead.Add(&l.shared[0].Gate)
	}
}

// thenLayer says that layer i follows, or the output's matrix.
func (r *runner) thenLayer(i int) {
	if i == len(r.m.w.layers) {
		r.then(r.m.w.output)
		return
	}
	switch l := &r.m.w.layers[i]; {
	case l.delta != nil:
		r.ahead.Reset()
	case r.m.cfg.Latent == nil:
		r.then(l.q, l.k, l.v)
	case l.qA != nil:
		r.then(l.kvA, l.qA)
	default:
		r.then(l.kvA, l.q)
	}
}
