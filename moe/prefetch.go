package moe

import (
	"sync"
	"time"

	"github.com/coterie-go/coterie/router"
	"github.com/coterie-go/coterie/tensor"
)

// ahead decides whether reading experts ahead of need pays. Steps are measured in
// runs, without and with; the faster way is kept for a while and then held against
// the other again. Names that a router gives a layer early are right for about
// four experts in five, so that it pays where storage has time to spare and costs
// where it has none.
type ahead struct {
	first, last int // layers with routing

	mu    sync.Mutex
	on    bool
	trial int // 0: measuring without, 1: with, 2: settled
	steps int // since the last change
	spent time.Duration
	mean  [2]time.Duration // without and with
}

const (
	trialSteps  = 24
	settledRuns = 512
	worthwhile  = 0.97 // of the time without
)

// using says whether the next step shall read ahead.
func (a *ahead) using() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.on
}

// took reports a step that took d, reading ahead or not.
func (a *ahead) took(d time.Duration, on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if on != a.on { // it began before the last change
		return
	}
	a.steps++
	if a.trial == 2 {
		if a.steps >= settledRuns {
			a.trial, a.steps, a.spent, a.on = 0, 0, 0, false
		}
		return
	}
	if a.steps > trialSteps/4 { // the first ones find what the other way left
		a.spent += d
	}
	if a.steps < trialSteps {
		return
	}
	a.mean[a.trial] = a.spent
	a.trial++
	a.steps, a.spent, a.on = 0, 0, true
	if a.trial == 2 {
		a.on = float64(a.mean[1]) < worthwhile*float64(a.mean[0])
	}
}

// beginAhead notes that a single token has come to the first layer with routing, and
// endAhead that it has left the last one: what lies between are the waits that reading
// ahead can spare, and not those of whoever takes the tokens.
func (r *runner) beginAhead(a *ahead, i int) {
	r.guess.layer, r.guess.single = i, a != nil && len(r.ids) == 1
	if r.guess.single && i == a.first {
		r.guess.began, r.guess.ahead = time.Now(), a.using()
	}
}

func (r *runner) endAhead(a *ahead, i int) {
	if r.guess.single && i == a.last {
		a.took(time.Since(r.guess.began), r.guess.ahead)
	}
}

// guess is what a runner needs to apply a router early.
type guess struct {
	h      *rows // (1, Dim)
	scores []float32
	ids    []int32
	gates  []float32
	route  router.Scratch
	linear tensor.Products

	layer  int       // that asks for experts
	single bool      // a batch of one token
	ahead  bool      // that reads ahead
	began  time.Time // of its first layer with routing
}

// readAhead asks for the experts of the next layer that its router names for a
// single token as it is now, before this layer's experts have added to it.
func (r *runner) readAhead() {
	m, g := r.m, &r.guess
	i := g.layer
	if !g.single || !g.ahead || i+1 >= len(m.w.layers) || m.w.layers[i+1].routes == nil {
		return
	}
	next := &m.w.layers[i+1]
	if g.h == nil {
		g.h = tensor.NewActs(1, m.cfg.Dim)
		g.scores = make([]float32, m.cfg.Router.Experts)
		g.ids, g.gates = make([]int32, m.cfg.Router.TopK), make([]float32, m.cfg.Router.TopK)
	}
	var need forms
	need.Need(next.router)
	m.cfg.norm(g.h.Row(0), r.row(0), next.ffnNorm, next.ffnBias)
	g.h.Prepare(m.pool, 1, r.forms(need))
	g.linear.Reset()
	g.linear.Add(next.router, &g.h.Acts, g.scores, len(g.scores))
	g.linear.Run(m.pool, 1)
	next.routes.Route(g.ids, g.gates, g.scores, &g.route)
	m.budget.store.Prefetch(i+1, g.ids)
}
