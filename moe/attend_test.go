package moe

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/coterie-go/coterie/kernels"
	"github.com/stretchr/testify/require"
)

// TestAttendRuns computes the attention of a few tokens behind many, over runs of
// blocks that begin and end anywhere: the same bits whether the tokens come alone or
// together and however many workers cut the keys, and what the definition in float64
// gives.
func TestAttendRuns(t *testing.T) {
	const run = kernels.AttnRun * kernels.AttnBlock
	for _, path := range goldenModels(t) {
		for _, before := range []int{run - 2, 2*run + 100, 3*run - 1} {
			var want [][]float32
			for _, c := range []struct {
				threads int
				parts   []int // tokens that come together
			}{{1, []int{4}}, {2, []int{1, 1, 1, 1}}, {5, []int{4}}, {5, []int{1, 3}}} {
				m := open(t, path, WithCache(CacheF32), WithThreads(c.threads))
				if m.cfg.Indexer != nil {
					continue
				}
				got := attendAfter(m, before, c.parts)
				if want == nil {
					want = got
					expected := attendExpected(m, before, len(got[0]))
					for i := range want {
						for j, v := range expected[i] {
							require.InDelta(t, v, want[i][j], 2e-5, "%s, layer %d after %d tokens, value %d", path, i, before, j)
						}
					}
				}
				for i := range want {
					sameBits(t, fmt.Sprintf("%s, layer %d after %d tokens, %d threads, %v", filepath.Base(path), i, before, c.threads, c.parts), got[i], want[i])
				}
				m.Close()
			}
		}
	}
}

// attendLayers returns the layers with keys and values to look at.
func attendLayers(m *Model) (list []int) {
	for i := range m.cfg.Layers {
		if !m.cfg.Layers[i].Recurrent {
			list = append(list, i)
		}
	}
	return list
}

// attendState returns a state of n tokens with random keys and values.
func attendState(m *Model, n int) *State {
	s, lay := m.NewState(), &m.cache
	s.grow(n)
	for _, i := range attendLayers(m) {
		r := rand.New(rand.NewPCG(3, uint64(i)))
		for p := range n {
			page, at := s.layers[i].page(p/kernels.AttnBlock), p%kernels.AttnBlock
			for h := range lay.heads {
				k, v := randomFloats(r, lay.dk), randomFloats(r, lay.dv)
				if a := m.cfg.Latent; a != nil {
					lay.setKeys(page, h, at, k[:a.RopeDim], k[a.RopeDim:])
				} else {
					lay.setKeys(page, h, at, k, nil)
					lay.setValues(page, h, at, v)
				}
			}
		}
	}
	return s
}

func randomFloats(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// attendQueries returns the queries of the n tokens.
func attendQueries(m *Model, n int) []float32 {
	return randomFloats(rand.New(rand.NewPCG(5, 6)), n*m.cfg.Heads*m.cache.dk)
}

// attendAfter returns what the heads see in each layer, (tokens, Heads, dv), of tokens
// that come in parts after others.
func attendAfter(m *Model, before int, parts []int) (seen [][]float32) {
	n := 0
	for _, p := range parts {
		n += p
	}
	c, dv := &m.cfg, m.cache.dv
	s, q := attendState(m, before+n), attendQueries(m, n)
	for _, i := range attendLayers(m) {
		var all []float32
		first := 0
		for _, p := range parts {
			r := newRunner(m)
			r.grow(p)
			r.seqs = []seq{{s, 0, p}}
			for j := range p {
				r.ids, r.pos = append(r.ids, 0), append(r.pos, before+first+j)
			}
			copy(r.q, q[first*c.Heads*m.cache.dk:])
			clear(r.qHeads) // gates of one half
			r.attend(&m.w.layers[i], i)
			for t := range p {
				for h := range c.Heads {
					if c.Latent != nil {
						all = append(all, r.mixed.Row(h*p + t)[:dv]...)
					} else {
						all = append(all, r.heads.Row(t)[h*dv:][:dv]...)
					}
				}
			}
			first += p
		}
		seen = append(seen, all)
	}
	return seen
}

// attendExpected returns the same by definition; size is that of a layer.
func attendExpected(m *Model, before, size int) (seen [][]float64) {
	c, lay := &m.cfg, &m.cache
	n := size / (c.Heads * lay.dv)
	s, q := attendState(m, before+n), attendQueries(m, n)
	for _, i := range attendLayers(m) {
		var all []float64
		for t := range n {
			for h := range c.Heads {
				kv := h / (c.Heads / lay.heads)
				query := q[(t*c.Heads+h)*lay.dk:][:lay.dk]
				var scores []float64
				var values [][]float32
				for p := c.Layers[i].firstSeen(before + t); p <= before+t; p++ {
					k, v := lay.block(s.layers[i].page(p/kernels.AttnBlock), kv, 0, kernels.AttnBlock, new([]float32))
					key, value := make([]float32, lay.dk), make([]float32, lay.dv)
					k.Row(key, p%kernels.AttnBlock)
					v.Row(value, p%kernels.AttnBlock)
					score := 0.0
					for j, x := range query {
						score += float64(x) * float64(key[j])
					}
					scores, values = append(scores, score*float64(c.AttnScale)), append(values, value)
				}
				top, sum := slices.Max(scores), 0.0
				if sinks := m.w.layers[i].sinks; sinks != nil {
					top = max(top, float64(sinks[h]))
					sum = math.Exp(float64(sinks[h]) - top)
				}
				out := make([]float64, lay.dv)
				for p, score := range scores {
					w := math.Exp(score - top)
					sum += w
					for j, v := range values[p] {
						out[j] += w * float64(v)
					}
				}
				gate := 1.0
				if c.AttnGate {
					gate = 0.5
				}
				for _, v := range out {
					all = append(all, v/sum*gate)
				}
			}
		}
		seen = append(seen, all)
	}
	return seen
}
