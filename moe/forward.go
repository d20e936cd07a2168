package moe

import (
	"context"
	"fmt"

	"github.com/coterie-go/coterie/kernels"
)

// Forward sends tokens through the model, after those that s has processed, and
// returns the logits (Vocab) of the last one, valid until the next call with s.
// On an error, s holds the tokens of the chunks that were completed before it.
func (m *Model) Forward(ctx context.Context, s *State, ids []int32) ([]float32, error) {
	step := [1]Step{{State: s, Tokens: ids}}
	err := m.ForwardBatch(ctx, step[:])
	return step[0].Logits, err
}

// forward sends the batch in r through all layers.
func (r *runner) forward(ctx context.Context) error {
	m := r.m
	// each token becomes its row of the embedding
	if err := r.embed(); err != nil {
		return err
	}
	for i := range m.w.layers {
		l := &m.w.layers[i]
		if err := m.halted(ctx); err != nil {
			return err
		}
		// x += attention(norm(x)): tokens look at those before them, or at a memory of them
		r.norm(r.h, l.attnNorm, l.attnBias, l.attnForms)
		seen := r.heads
		switch {
		case l.delta != nil:
			r.deltaNet(l.delta)
			seen = r.delta.out
		case m.cfg.Latent != nil:
			r.latentQKV(l, i)
			if l.index != nil {
				r.index(l, i)
			}
			r.attend(l, i)
			r.latentValues(l)
		default:
			r.groupedQKV(l, i)
			r.attend(l, i)
		}
		r.addProjected(l, seen)

		// x += mixture(norm(x)): each token passes through the experts it is sent to
		r.norm(r.h, l.ffnNorm, l.ffnBias, l.ffnForms)
		r.route(l, i)
		if err := m.halted(ctx); err != nil {
			return err
		}
		if err := r.mix(ctx, l, i); err != nil {
			return err
		}
		if err := m.halted(ctx); err != nil { // or what there is may be incomplete
			return err
		}

		// what is not a number is reported with the layer it came from
		r.eachToken((*runner).checkToken, nil, 0)
		if err := r.finite(i + 1); err != nil {
			return err
		}
	}
	// the last norm, and the scores of all tokens of the vocabulary
	return r.logits()
}

// embed sets x to the embeddings of the batch's tokens.
func (r *runner) embed() error {
	r.infinite.Store(int32(len(r.ids)))
	for t, id := range r.ids {
		r.m.w.embed.Row(r.row(t), int(id))
		scale(r.row(t), r.m.cfg.EmbedScale)
		r.check(t, r.row(t))
	}
	return r.finite(0)
}

// norm sets dst to the normed x, also in the forms that products will take.
func (r *runner) norm(dst *rows, w, bias []float32, forms forms) {
	dst.Use(r.forms(forms))
	r.norming = normTasks{r: r, dst: dst, w: w, bias: bias}
	r.pool.Run(len(r.ids), &r.norming)
}

// route chooses the experts of each token.
func (r *runner) route(l *layer, i int) {
	if l.routes == nil {
		r.mixture.Choice.K = 0
		return
	}
	e, k := r.m.cfg.Router.Experts, r.m.cfg.Router.TopK
	r.products.Reset()
	r.products.Add(l.router, &r.h.Acts, r.scores, e)
	r.thenShared(l)
	r.products.Run(r.pool, len(r.ids))
	r.eachToken((*runner).routeToken, l, i)
	r.mixture.Choice.K = k
	if r.pool.Stopped() {
		return
	}
	for t := range r.ids {
		ids, w := r.chosen[t*k:][:k], r.gates[t*k:][:k]
		if f := r.m.opts.override; f != nil {
			f(i, r.pos[t], ids, w)
			r.checkRoute(i, ids)
		}
		if f := r.m.opts.observe; f != nil {
			f(i, r.pos[t], ids, w)
		}
	}
}

// routeToken chooses token t's experts by its scores.
func (r *runner) routeToken(l *layer, _, t, worker int) {
	e, k := r.m.cfg.Router.Experts, r.m.cfg.Router.TopK
	r.check(t, r.scores[t*e:][:e]) // an expert without a number would just not be chosen
	l.routes.Route(r.chosen[t*k:][:k], r.gates[t*k:][:k], r.scores[t*e:][:e], &r.routing[worker])
}

// mix adds the output of the chosen experts, and of those always on, to x.
func (r *runner) mix(ctx context.Context, l *layer, i int) error {
	in := &r.mixture
	in.N, in.Experts, in.Shared, in.Gate = len(r.ids), len(l.experts), l.shared, nil
	r.bank = l.experts
	if l.sharedGate != nil {
		in.Gate = r.sharedGates(l)
	}
	r.thenLayer(i + 1)
	if r.m.budget != nil && len(l.experts) > 0 {
		return r.leased(ctx, i)
	}
	r.askExperts(l, i)
	r.experts.Run(r.pool, &r.m.cfg.Expert, in)
	return nil
}

// sharedGates returns sigmoid(w x) for each token.
func (r *runner) sharedGates(l *layer) []float32 {
	g := r.shared[:len(r.ids)]
	r.products.Reset()
	r.products.Add(l.sharedGate, &r.h.Acts, g, 1)
	r.products.Run(r.pool, len(g))
	for t, v := range g {
		r.check(t, g[t:t+1]) // of infinity, a sigmoid makes 1
		g[t] = kernels.Sigmoid(v)
	}
	return g
}

// addProjected adds the projection of the heads' outputs to x.
func (r *runner) addProjected(l *layer, heads *rows) {
	n, dim := len(r.ids), r.m.cfg.Dim
	heads.Prepare(r.pool, n, r.forms(l.attnOutForms))
	r.products.Reset()
	r.products.Add(l.attnOut, &heads.Acts, r.projected, dim)
	r.thenMixture(l)
	r.products.Run(r.pool, n)
	r.eachToken((*runner).addToken, nil, 0)
}

// addToken adds token t's projection to its row of x.
func (r *runner) addToken(_ *layer, _, t, _ int) {
	dim := r.m.cfg.Dim
	if y := r.projected[t*dim:][:dim]; r.m.cfg.ResidualScale != 0 {
		kernels.Axpy(r.row(t), r.m.cfg.ResidualScale, y)
	} else {
		kernels.Add(r.row(t), y)
	}
}

// logits computes the scores of the tokens that were asked for.
func (r *runner) logits() error {
	m, v := r.m, r.m.cfg.Vocab
	if m.opts.hidden != nil {
		r.norm(r.h, m.w.norm, m.w.bias, forms{})
		if r.pool.Stopped() {
			return r.ctx.Err()
		}
		m.opts.hidden(len(m.w.layers), r.h.F32[:len(r.ids)*m.cfg.Dim])
	}
	r.thenLayer(0)
	for from := 0; from < len(r.wanted); from += r.last.Rows() {
		some := r.wanted[from:min(from+r.last.Rows(), len(r.wanted))]
		r.last.Use(r.forms(m.outputForms))
		for i, w := range some {
			m.cfg.norm(r.last.Row(i), r.row(w.token), m.w.norm, m.w.bias)
			r.last.Quantize(i)
		}
		r.products.Reset()
		if len(some) == 1 && some[0].each == nil {
			r.products.Add(m.w.output, &r.last.Acts, some[0].dst, v)
			r.products.Run(r.pool, 1)
			if r.pool.Stopped() {
				return r.ctx.Err()
			}
			scale(some[0].dst[:v], m.cfg.LogitScale)
			r.check(some[0].token, some[0].dst[:v])
			continue
		}
		r.products.Add(m.w.output, &r.last.Acts, r.vocab[:len(some)*v], v)
		r.products.Run(r.pool, len(some))
		if r.pool.Stopped() {
			return r.ctx.Err()
		}
		for i, w := range some {
			x := r.vocab[i*v:][:v]
			scale(x, m.cfg.LogitScale)
			r.check(w.token, x)
			if copy(w.dst, x); w.each != nil {
				w.each(w.i, x)
			}
		}
	}
	if t := int(r.infinite.Load()); t < len(r.ids) {
		return fmt.Errorf("%w: logits at position %d", ErrNumber, r.pos[t])
	}
	return nil
}

// finite reports what was not a number in the embedding, 0, or in layer i, i+1.
func (r *runner) finite(at int) error {
	switch t := int(r.infinite.Load()); {
	case t == len(r.ids):
	case at == 0:
		return fmt.Errorf("%w: embedding of token %d at position %d", ErrNumber, r.ids[t], r.pos[t])
	default:
		return fmt.Errorf("%w: layer %d at position %d", ErrNumber, at-1, r.pos[t])
	}
	r.show(at)
	return r.badID
}

// checkToken checks token t's row.
func (r *runner) checkToken(_ *layer, _, t, _ int) { r.check(t, r.row(t)) }

// check keeps the first token t of whose values x not all are finite, or so large
// that their squares add up to infinity.
func (r *runner) check(t int, x []float32) {
	if s := kernels.Dot(x, x); s-s == 0 {
		return
	}
	for old := r.infinite.Load(); int32(t) < old && !r.infinite.CompareAndSwap(old, int32(t)); {
		old = r.infinite.Load()
	}
}
