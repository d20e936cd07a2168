package moe

import (
	"math"

	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/tensor"
)

// DeltaConfig describes layers with a gated delta net in place of attention (Yang
// et al., 2024): each value head has a memory of KeyDim rows and ValueDim columns
// that a token reads, corrects and lets fade, whatever the length of the text.
type DeltaConfig struct {
	KeyHeads, ValueHeads int
	KeyDim, ValueDim     int
	Conv                 int  // taps of the convolution that queries, keys and values pass through
	Tiled                bool // value head j goes with key head j mod KeyHeads; otherwise neighbours share one
}

// channels is the number of values that pass through the convolution: queries,
// then keys, then values, head by head.
func (d *DeltaConfig) channels() int { return 2*d.KeyHeads*d.KeyDim + d.ValueHeads*d.ValueDim }

// keyHead returns the key head that value head j goes with.
func (d *DeltaConfig) keyHead(j int) int {
	if d.Tiled {
		return j % d.KeyHeads
	}
	return j / (d.ValueHeads / d.KeyHeads)
}

// history and memory are the sizes of the two parts of a layer's block in a
// sequence's recurrent state: the convolution's last inputs, (Conv-1, channels),
// and the value heads' memories.
func (d *DeltaConfig) history() int { return (d.Conv - 1) * d.channels() }
func (d *DeltaConfig) memory() int  { return d.ValueHeads * d.KeyDim * d.ValueDim }

// recurrentSize is the number of values that a sequence's recurrent layers
// remember.
func (c *Config) recurrentSize() int {
	if c.Delta == nil {
		return 0
	}
	n := 0
	for _, l := range c.Layers {
		if l.Recurrent {
			n += c.Delta.history() + c.Delta.memory()
		}
	}
	return n
}

// deltaLayer holds a gated delta net's parameters. in is several maps whose outputs
// follow one another in a row; the tables say where in it each head's part begins.
type deltaLayer struct {
	in                []*tensor.Linear
	width             int       // of a row
	q, k              []int     // (KeyHeads)
	v, z, beta, alpha []int     // (ValueHeads)
	at                int       // the layer's block within a recurrent state
	taps              []float32 // (Conv, channels), the oldest token's first
	decay             []float32 // (ValueHeads), below 0
	step              []float32 // (ValueHeads)
	norm              []float32 // (ValueDim)
}

// deltaPanel is how many columns of a memory lie together; a memory is stored
// panel by panel, each (KeyDim, deltaPanel), so that one stays in the first-level
// cache while the tokens of a chunk pass.
const deltaPanel = 32

// deltaBuffers is a wave of activations of gated delta nets.
type deltaBuffers struct {
	in    []float32 // (n, width)
	qkv   []float32 // (n, channels) after the convolution
	gates []float32 // (n, 2, ValueHeads): decay, beta
	out   *rows     // (n, ValueHeads*ValueDim)
	ones  []float32

	convolving deltaConv
	recalling  deltaRecall
	gating     deltaGate
}

func (b *deltaBuffers) grow(d *DeltaConfig, n int) {
	c := d.channels()
	b.in = make([]float32, n*(c+d.ValueHeads*(d.ValueDim+2)))
	b.qkv, b.gates = make([]float32, n*c), make([]float32, 2*n*d.ValueHeads)
	b.out = tensor.NewActs(n, d.ValueHeads*d.ValueDim)
	b.ones = make([]float32, max(d.KeyDim, d.ValueDim))
	for i := range b.ones {
		b.ones[i] = 1
	}
}

// deltaNet sets the delta buffers' out to the net's output for the normed input.
func (r *runner) deltaNet(l *deltaLayer) {
	d, n, b := r.m.cfg.Delta, len(r.ids), &r.delta
	r.products.Reset()
	at := 0
	for _, p := range l.in {
		r.products.Add(p, &r.h.Acts, b.in[at:], l.width)
		at += p.Out()
	}
	r.products.Run(r.pool, n)
	// each channel looks at its last few values; queries and keys get unit length
	b.convolving = deltaConv{r, l}
	r.pool.Run(n*d.KeyHeads, &b.convolving)
	// tokens pass through the memories in their order
	b.recalling = deltaRecall{r: r, l: l, panels: (d.ValueDim + deltaPanel - 1) / deltaPanel}
	r.pool.Run(len(r.seqs)*d.ValueHeads*b.recalling.panels, &b.recalling)
	// what was read is normed and gated, head by head
	b.gating = deltaGate{r, l}
	r.pool.Run(n, &b.gating)
}

// deltaConv convolves one key head and its share of the value heads for one token.
type deltaConv struct {
	r *runner
	l *deltaLayer
}

func (p *deltaConv) Do(_, i int) {
	d, l, b := p.r.m.cfg.Delta, p.l, &p.r.delta
	t, h := i/d.KeyHeads, i%d.KeyHeads
	if h == 0 {
		p.r.check(t, b.in[t*l.width:][:l.width]) // gates saturate
	}
	kd, vd, keys := d.KeyDim, d.ValueDim, d.KeyHeads*d.KeyDim
	q := p.head(t, h*kd, l.q[h], kd)
	k := p.head(t, keys+h*kd, l.k[h], kd)
	unit(q, inverseRoot(kd))
	unit(k, 1)
	share := d.ValueHeads / d.KeyHeads
	in := b.in[t*l.width:]
	for j := h * share; j < (h+1)*share; j++ {
		p.head(t, 2*keys+j*vd, l.v[j], vd)
		gates := b.gates[2*t*d.ValueHeads:]
		gates[j] = kernels.Exp(l.decay[j] * softplus(in[l.alpha[j]]+l.step[j]))
		gates[d.ValueHeads+j] = kernels.Sigmoid(in[l.beta[j]])
	}
}

// head convolves n channels from c on, whose inputs begin at from in a row, for
// token t, and passes them through SiLU. The last token of a sequence also writes
// the inputs that the next chunk will look at.
func (p *deltaConv) head(t, c, from, n int) []float32 {
	d, l, b := p.r.m.cfg.Delta, p.l, &p.r.delta
	sq := p.r.seqOf(t)
	all := d.channels()
	past := sq.s.rec.now[l.at:][:d.history()]
	input := func(t int) []float32 { // of token t, which may have come before this chunk
		if t >= sq.first {
			return b.in[t*l.width+from:][:n]
		}
		return past[(t-sq.first+d.Conv-1)*all+c:][:n]
	}
	out := b.qkv[t*all+c:][:n]
	clear(out)
	for i := range d.Conv {
		x, w := input(t-d.Conv+1+i), l.taps[i*all+c:][:n]
		for j, v := range x {
			out[j] += float32(w[j] * v)
		}
	}
	kernels.SwiGLU(out, out, b.ones[:n])
	if t == sq.first+sq.n-1 {
		next := sq.s.rec.next[l.at:][:d.history()]
		for i := range d.Conv - 1 {
			copy(next[i*all+c:][:n], input(t-d.Conv+2+i))
		}
	}
	return out
}

// seqOf returns the sequence that token t of the batch belongs to.
func (r *runner) seqOf(t int) *seq {
	i := 0
	for t >= r.seqs[i].first+r.seqs[i].n {
		i++
	}
	return &r.seqs[i]
}

// unit scales x to length a.
func unit(x []float32, a float32) {
	s := a / float32(math.Sqrt(float64(kernels.Dot(x, x)+1e-6)))
	for i, v := range x {
		x[i] = v * s
	}
}

// softplus returns ln(1 + e**x).
func softplus(x float32) float32 {
	if x > 20 {
		return x
	}
	return float32(ln(1 + float64(kernels.Exp(x))))
}

// deltaRecall sends a sequence's tokens through some columns of a head's memory.
type deltaRecall struct {
	r      *runner
	l      *deltaLayer
	panels int
}

func (p *deltaRecall) Do(worker, i int) {
	d, b := p.r.m.cfg.Delta, &p.r.delta
	panel, i := i%p.panels, i/p.panels
	j, sq := i%d.ValueHeads, p.r.seqs[i/d.ValueHeads]
	first := panel * deltaPanel
	width := min(deltaPanel, d.ValueDim-first)
	at := p.l.at + d.history() + d.KeyDim*(j*d.ValueDim+first)
	memory := sq.s.rec.next[at:][:d.KeyDim*width]
	copy(memory, sq.s.rec.now[at:])

	all, keys, h := d.channels(), d.KeyHeads*d.KeyDim, d.keyHead(j)
	qkv, gates := b.qkv[sq.first*all:], b.gates[2*sq.first*d.ValueHeads:]
	run := &p.r.work[worker].delta
	*run = kernels.DeltaRun{
		N: sq.n, KeyDim: d.KeyDim, Width: width,
		Q: qkv[h*d.KeyDim:], K: qkv[keys+h*d.KeyDim:], V: qkv[2*keys+j*d.ValueDim+first:], Ld: all,
		Decay: gates[j:], Beta: gates[d.ValueHeads+j:], LdGate: 2 * d.ValueHeads,
		Dst: b.out.F32[sq.first*b.out.K+j*d.ValueDim+first:], LdDst: b.out.K,
	}
	kernels.DeltaNet(memory, run)
}

// deltaGate norms a token's heads and multiplies them by SiLU of the gate.
type deltaGate struct {
	r *runner
	l *deltaLayer
}

func (p *deltaGate) Do(_, t int) {
	d, b := p.r.m.cfg.Delta, &p.r.delta
	row := b.out.Row(t)
	for j := range d.ValueHeads {
		out := row[j*d.ValueDim:][:d.ValueDim]
		kernels.RMSNorm(out, out, p.l.norm, p.r.m.cfg.NormEps)
		kernels.SwiGLU(out, b.in[t*p.l.width+p.l.z[j]:][:d.ValueDim], out)
	}
}
