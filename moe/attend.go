package moe

import (
	"github.com/coterie-go/coterie/kernels"
)

// Attention of a chunk is computed in tasks: some tokens of one sequence (a tile),
// and some heads that share keys and values (a group). In decoding these are few,
// so the keys of a tile are cut as well, between the contract's runs of blocks: what
// each run says is kept apart until a second loop joins them in ascending order.

const (
	tileQueries = 256       // at most: enough to repay that a block of keys is converted
	tileBytes   = 832 << 10 // of queries and sums, in the second cache
	tileTokens  = 64        // at most
	cutTokens   = 4         // at most in a tile that is cut
	groupHeads  = 4         // at least in a group of latent attention
)

// attnTasks computes the attention of one layer for a chunk.
type attnTasks struct {
	r      *runner
	l      *layer
	layer  int
	heads  int // a group; the last one may have fewer
	groups int
	tiles  []attnTile
	tasks  int

	// What the runs of the tiles that are cut say: (tile, run, group, query), acc with
	// dv values for each.
	m, sum, acc []float32
	parts       int
	joins       attnJoins
}

// attnTile is a run of tokens of one sequence, and the blocks of keys they see.
type attnTile struct {
	s             *State
	first, tokens int // of the chunk's tokens
	b0, b1        int // blocks
	runs          int // that these belong to
	shares, step  int // that the runs are cut into, of how many runs
	task          int // first task
	part          int // its first one
}

// attnWork is one worker's scratch.
type attnWork struct {
	q         []float32
	lo, hi    []int32
	sinks     []float32
	attn      kernels.Attn    // of a tile's runs so far
	run, kept kernels.Attn    // of the one at work: the worker's, or a place in attnTasks
	k, v      kernels.Weights // of the block at work; here because they escape
	delta     kernels.DeltaRun
	index     indexWork

	rows     []float32 // keys and values of a block, where they have to be expanded
	gathered []byte    // (AttnBlock rows of keys)
	scratch  kernels.Scratch
}

// attend sets heads (grouped) or mixed (latent) to the attention's output.
func (r *runner) attend(l *layer, i int) {
	a := &r.attending
	a.r, a.l, a.layer = r, l, i
	a.plan()
	r.pool.Run(a.tasks, a)
	if a.parts > 0 {
		a.joins.a = a
		r.pool.Run(len(a.tiles)*r.m.cfg.Heads, &a.joins)
	}
}

// plan cuts the chunk into tasks. It has no influence on the results.
func (a *attnTasks) plan() {
	r := a.r
	c, workers := &r.m.cfg, r.pool.Workers()
	a.heads, a.groups = c.Heads/r.m.cache.heads, r.m.cache.heads
	want := 2 * workers
	if workers == 1 {
		want = 1
	}
	count := func(tokens int) (n int) {
		for _, sq := range r.seqs {
			n += (sq.n + tokens - 1) / tokens
		}
		return n
	}
	queries := min(tileQueries, tileBytes/(4*(r.m.cache.dk+2*r.m.cache.dv)))
	tokens := min(max(queries/a.heads, 1), tileTokens)
	for tokens > cutTokens && count(tokens)*a.groups < want {
		tokens /= 2
	}

	a.tiles, a.tasks, a.parts = a.tiles[:0], 0, 0
	first, runs, most := &c.Layers[a.layer], 0, 0
	for _, sq := range r.seqs {
		for t := sq.first; t < sq.first+sq.n; t += tokens {
			n := min(tokens, sq.first+sq.n-t)
			x := attnTile{s: sq.s, first: t, tokens: n, shares: 1}
			x.b0, x.b1 = first.firstSeen(r.pos[t])/kernels.AttnBlock, r.pos[t+n-1]/kernels.AttnBlock+1
			x.runs = (x.b1-1)/kernels.AttnRun - x.b0/kernels.AttnRun + 1
			runs, most = runs+x.runs, max(most, n)
			a.tiles = append(a.tiles, x)
		}
	}
	if most <= cutTokens && workers > 1 { // short tasks, and some of the workers may be slow
		want *= 2
	}
	share, shares := max(1, runs*a.groups/want), 0
	for i := range a.tiles {
		if x := &a.tiles[i]; x.tokens <= cutTokens && c.Indexer == nil && workers > 1 {
			x.shares = (x.runs + share - 1) / share
		}
		shares += a.tiles[i].shares
	}
	if c.Latent != nil && shares < want {
		a.groups = max(min((want+shares-1)/shares, c.Heads/groupHeads), 1)
		a.heads = (c.Heads + a.groups - 1) / a.groups
		a.groups = (c.Heads + a.heads - 1) / a.heads
	}
	for i := range a.tiles {
		x := &a.tiles[i]
		x.task, x.part, x.step = a.tasks, a.parts, (x.runs+x.shares-1)/x.shares
		a.tasks += x.shares * a.groups
		if x.shares > 1 {
			a.parts += x.runs * a.groups * a.heads * x.tokens
		}
	}
	if n := a.parts; n > len(a.m) {
		n += n / 4 // contexts grow token by token
		a.m, a.sum, a.acc = make([]float32, n), make([]float32, n), make([]float32, n*r.m.cache.dv)
	}
}

// Ahead appends what the worker reads afterwards.
func (a *attnTasks) Ahead(dst [][]byte, worker int) [][]byte { return a.r.ahead.Ahead(dst, worker) }

// Do computes task i.
func (a *attnTasks) Do(worker, i int) {
	k := len(a.tiles) - 1
	for a.tiles[k].task > i {
		k--
	}
	r, x, w := a.r, &a.tiles[k], &a.r.work[worker]
	c, lay := &r.m.cfg, &r.m.cache
	share, group := (i-x.task)/a.groups, (i-x.task)%a.groups
	h0 := group * a.heads
	heads := min(a.heads, c.Heads-h0)
	kvHead := h0 / (c.Heads / lay.heads)
	tokens := x.tokens
	for ; tokens > 0 && r.sparse(x.first+tokens-1); tokens-- {
		a.attendSparse(w, x.s, x.first+tokens-1, h0, heads)
	}
	if tokens == 0 {
		return
	}

	// query t*heads+g is head h0+g of token first+t
	n := tokens * heads
	w.grow(n, lay.dk)
	q := r.q[(x.first*c.Heads+h0)*lay.dk:]
	if tokens > 1 {
		for t := range tokens {
			copy(w.q[t*heads*lay.dk:][:heads*lay.dk], q[t*c.Heads*lay.dk:])
		}
		q = w.q
	}
	run := &w.run
	if x.shares > 1 {
		run = &w.kept
	} else {
		w.attn.Reset(n, lay.dv, a.sinks(w.sinks[:n], h0, heads))
	}
	layer, cache := &c.Layers[a.layer], &x.s.layers[a.layer]
	lastPos := r.pos[x.first+tokens-1]
	end := lastPos/kernels.AttnBlock + 1
	for k := share * x.step; k < min((share+1)*x.step, x.runs); k++ {
		if x.shares > 1 {
			a.place(run, x, k, group, n)
		}
		run.Reset(n, lay.dv, nil)
		from := (x.b0/kernels.AttnRun + k) * kernels.AttnRun
		for b := max(from, x.b0); b < min(from+kernels.AttnRun, end); b++ {
			if r.pool.Stopped() {
				return
			}
			base := b * kernels.AttnBlock
			for t := range tokens {
				pos := r.pos[x.first+t]
				lo, hi := int32(max(layer.firstSeen(pos)-base, 0)), int32(min(pos+1-base, kernels.AttnBlock))
				for g := range heads {
					w.lo[t*heads+g], w.hi[t*heads+g] = lo, hi
				}
			}
			w.k, w.v = lay.block(cache.page(b), kvHead, int(w.lo[0]), min(lastPos+1-base, kernels.AttnBlock), &w.rows)
			run.Next = nil
			if b+1 < end {
				run.Next = cache.page(b + 1)[lay.keyAt(kvHead):]
			}
			run.Attend(q, lay.dk, &w.k, &w.v, w.lo[:n], w.hi[:n], c.AttnScale, &w.scratch)
		}
		if x.shares == 1 {
			w.attn.JoinAll(run)
		}
	}
	if x.shares > 1 {
		return
	}
	for t := range tokens {
		for g := range heads {
			a.emit(&w.attn, t*heads+g, x.first+t, h0+g)
		}
	}
}

// sinks fills dst with the sinks of heads h0, h0+1, ... for each token, and
// returns nil if there are none.
func (a *attnTasks) sinks(dst []float32, h0, heads int) []float32 {
	if a.l.sinks == nil {
		return nil
	}
	for j := range dst {
		dst[j] = a.l.sinks[h0+j%heads]
	}
	return dst
}

// at returns where what run k of a tile says to query j of a group is kept.
func (a *attnTasks) at(x *attnTile, k, group, j int) int {
	return x.part + (k*a.groups+group)*a.heads*x.tokens + j
}

// place lets dst be what run k of a tile says to n queries of a group.
func (a *attnTasks) place(dst *kernels.Attn, x *attnTile, k, group, n int) {
	at, dv := a.at(x, k, group, 0), a.r.m.cache.dv
	dst.M, dst.L, dst.Acc = a.m[at:at+n], a.sum[at:at+n], a.acc[at*dv:(at+n)*dv]
}

// emit writes the output of query j, which is head h of token t.
func (a *attnTasks) emit(attn *kernels.Attn, j, t, h int) {
	r, c := a.r, &a.r.m.cfg
	if c.Latent != nil { // head by head, for the products that follow
		attn.Values(r.mixed.Row(h*len(r.ids)+t), j)
		return
	}
	out := r.heads.Row(t)[h*c.ValueDim:][:c.ValueDim]
	attn.Values(out, j)
	if c.AttnGate {
		gate := r.qHeads[(t*c.Heads+h)*2*c.HeadDim+c.HeadDim:]
		for i, v := range out {
			out[i] = v * kernels.Sigmoid(gate[i])
		}
	}
}

// attnJoins joins the runs of the tiles that were cut: a task is one head of a tile.
type attnJoins struct{ a *attnTasks }

func (p *attnJoins) Do(worker, i int) {
	a := p.a
	x, h := &a.tiles[i/a.r.m.cfg.Heads], i%a.r.m.cfg.Heads
	if x.shares == 1 {
		return
	}
	w, dv := &a.r.work[worker], a.r.m.cache.dv
	w.grow(1, 0)
	group, g := h/a.heads, h%a.heads
	heads := min(a.heads, a.r.m.cfg.Heads-group*a.heads)
	for t := range x.tokens {
		w.attn.Reset(1, dv, a.sinks(w.sinks[:1], h, 1))
		for k := range x.runs {
			at := a.at(x, k, group, t*heads+g)
			w.attn.Join(0, a.m[at], a.sum[at], a.acc[at*dv:][:dv])
		}
		a.emit(&w.attn, 0, x.first+t, h)
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
