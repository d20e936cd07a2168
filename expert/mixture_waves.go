package expert

import (
	"context"

	"github.com/coterie-go/coterie/internal/par"
)

// waves is what a mixture needs to compute its experts a few at a time, as they
// come into memory. Each pair's output is kept until the last wave, because a
// token's outputs are added in the router's order and not in that of the waves:
// the results are those of Run, bit for bit.
type waves struct {
	y    []float32 // (pairs, Dim)
	down waveDown
	sum  waveSum
	get  func(id int) *Expert
	from *Lease
}

// RunLeased is Run with the chosen experts of a layer taken from a store. Shared
// experts are computed while the first are being read. On an error in.Dst is as it
// was.
func (m *Mixture) RunLeased(ctx context.Context, pool *par.Pool, spec *Spec, in *Input, lease *Lease, layer int) error {
	if in.N == 0 {
		return nil
	}
	m.begin(pool, spec, in)
	m.group(in)
	v := &m.waves
	if v.get == nil {
		v.get = func(id int) *Expert { return v.from.Expert(int32(id)) }
		v.down.m, v.sum.m = m, m
	}
	v.from, lease.pool = lease, pool
	lease.Begin(layer, in.N, m.active, m.counts)
	defer lease.End()
	ids, err := lease.Next(ctx, 1)
	if err != nil {
		return err
	}
	m.layRouted(in, ids, v.get, pool.Workers())
	m.layShared(in, pool.Workers())
	if lease.Left() == 0 {
		m.together(pool, 32) // memory is short
		return nil
	}

	dim := m.x.K
	if n := m.pairs() * dim; cap(v.y) < n {
		m.Memory.Drop(v.y)
		v.y = m.Memory.Floats(n)
	}
	v.y = v.y[:m.pairs()*dim]
	m.rows = max(32, min(256, (dim/(pool.Workers()*6)+31)&^31))
	for len(m.parts) > 0 {
		pool.Run(m.tasks, m)
		m.show()
		pool.Run((dim+m.rows-1)/m.rows, &v.down)
		if ids, err = lease.Next(ctx, m.busy(pool.Workers())); err != nil {
			return err
		}
		m.parts, m.tasks = m.parts[:0], 0
		m.layRouted(in, ids, v.get, pool.Workers())
	}
	pool.Run(m.n, &v.sum)
	return nil
}

// busy returns how many experts a wave is worth starting with: enough to give each
// worker two tasks.
func (m *Mixture) busy(workers int) int {
	last := &m.parts[len(m.parts)-1]
	tasks := (last.e.FF() + last.rows - 1) / last.rows
	return (2*workers + tasks - 1) / tasks
}

// waveDown computes some output rows of the experts of a wave.
type waveDown struct{ m *Mixture }

func (d *waveDown) Do(worker, i int) {
	m := d.m
	dim := m.x.K
	a := i * m.rows
	b := min(a+m.rows, dim)
	for i := range m.parts {
		p := &m.parts[i]
		p.e.Down.Apply(m.waves.y[p.y*dim+a:], dim, a, b, &p.hidden.Acts, m.iota[p.slot:p.slot+p.n], p.n, &m.work[worker].scratch)
	}
}

// waveSum adds up a token's outputs.
type waveSum struct{ m *Mixture }

func (s *waveSum) Do(worker, t int) {
	s.m.sum(&s.m.work[worker], t, 0, s.m.waves.y, s.m.x.K)
}
