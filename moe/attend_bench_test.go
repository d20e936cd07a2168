package moe

import (
	"fmt"
	"os"
	"testing"

	"github.com/coterie-go/coterie/kernels"
)

// BenchmarkAttend measures the attention of one token, a batch of 8 and a chunk of
// 256 tokens after 8,192 others, in the first layer of the model that
// COTERIE_BENCH_MODEL names, and the bytes of keys and values read in that time.
func BenchmarkAttend(b *testing.B) {
	path := os.Getenv("COTERIE_BENCH_MODEL")
	if path == "" {
		b.Skip("COTERIE_BENCH_MODEL names no model")
	}
	const before = 8192
	for _, cache := range []CacheType{CacheF16, CacheQ8} {
		m := open(b, path, WithCache(cache))
		fill := func() *State {
			s := m.NewState()
			s.grow(before)
			for i := range s.layers {
				for _, p := range s.layers[i].pages {
					x := make([]float32, m.cache.dk+m.cache.dv)
					for j := range x {
						x[j] = float32(j%13)/13 - 0.5
					}
					for h := range m.cache.heads {
						for t := range kernels.AttnBlock {
							a := m.cfg.Latent
							if a != nil {
								m.cache.setKeys(p.data, h, t, x[:a.RopeDim], x[a.RopeDim:m.cache.dk])
								continue
							}
							m.cache.setKeys(p.data, h, t, x[:m.cache.dk], nil)
							m.cache.setValues(p.data, h, t, x[m.cache.dk:])
						}
					}
				}
			}
			s.advance(make([]int32, before))
			return s
		}
		for _, c := range []struct {
			name       string
			seqs, each int
		}{{"one", 1, 1}, {"batch8", 8, 1}, {"chunk256", 1, 256}} {
			b.Run(fmt.Sprintf("%s/%s", cache, c.name), func(b *testing.B) {
				r := newRunner(m)
				r.ids, r.pos, r.seqs = nil, nil, nil
				for i := range c.seqs {
					s := fill()
					s.grow(c.each)
					r.seqs = append(r.seqs, seq{s, len(r.ids), c.each})
					for j := range c.each {
						r.ids, r.pos = append(r.ids, int32(i)), append(r.pos, before+j)
					}
				}
				r.grow(len(r.ids))
				for i := range r.q {
					r.q[i] = float32(i%7)/7 - 0.5
				}
				b.SetBytes(int64(c.seqs*m.cache.pageBytes()) * before / kernels.AttnBlock)
				for b.Loop() {
					r.attend(&m.w.layers[0], 0)
				}
			})
		}
	}
}
