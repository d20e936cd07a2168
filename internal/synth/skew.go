package synth

import (
	"io"
	"math"

	"github.com/coterie-go/coterie/quant"
)

// An Option changes a shape before it is written.
type Option func(*shape)

// Tiny makes a shape's matrices small and leaves how it routes: its layers, experts,
// choices, groups and scores.
func Tiny() Option {
	return func(s *shape) {
		s.dim, s.ff, s.vocab = 128, 32, 2048
		s.heads, s.headDim = 4, min(s.headDim, 32)
		s.kvHeads = min(s.kvHeads, 2)
		s.denseFF = min(s.denseFF, 64)
		s.qRank, s.kvRank = min(s.qRank, 64), min(s.kvRank, 32)
		s.nope, s.rope, s.vDim = min(s.nope, 32), min(s.rope, 16), min(s.vDim, 32)
	}
}

// Small makes a shape's matrices small, but longer than what systems read ahead: a
// layer of olmoe-1b-7b takes 14 MB at q4_k_m.
func Small() Option {
	return func(s *shape) {
		s.dim, s.ff, s.vocab = 512, 256, 4096
		s.heads, s.headDim, s.kvHeads = 8, 64, min(s.kvHeads, 8)
	}
}

// Skewed gives routers favourites, as training does. In each layer the experts are
// ranked anew, and the one of rank r is as popular as r^-s makes it, by Zipf's law:
// choosing the k largest of log(r^-s) + noise with the noise of Gumbel's distribution
// is drawing k experts with weights r^-s without replacement, and scores of random
// rows are such noise, of about that spread. The logarithms come in by way of the
// input's first value, which embeddings make the same for every token: trained
// models' inputs have such a part in common too.
//
// What a token is, and what attention adds to it, are the noise: the same word goes
// to the same experts, but for its context.
func Skewed(s float64) Option { return func(x *shape) { x.skew = s } }

const (
	spread  = 0.06 // of embeddings' values
	carried = 4.0  // the first one's size, in spreads

	gumbel = math.Pi / 2.449489742783178 // standard deviation of Gumbel's distribution, pi/sqrt(6)
)

// embedding adds the table of embeddings.
func (g *generator) embedding(name string) {
	if g.skew == 0 {
		g.matrix(name, -1, g.vocab, g.dim)
		return
	}
	t := g.recipe.TypeFor(name, -1, g.layers, g.experts, g.vocab, g.dim)
	g.add(name, t, []int{g.vocab, g.dim}, func(w io.Writer, size int64) error {
		x, b := make([]float32, g.dim), make([]byte, t.RowBytes(g.dim))
		for range g.vocab {
			if err := g.ctx.Err(); err != nil {
				return err
			}
			for i := range x {
				x[i] = float32(g.rng.NormFloat64() * spread)
			}
			x[0] = spread * carried
			if err := quant.Quantize(b, t, x, nil); err != nil {
				return err
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
			g.progress(int64(len(b)))
		}
		return nil
	})
}

// router adds the matrix that scores a layer's experts.
func (g *generator) router(name string) {
	if g.skew == 0 {
		g.noise(name, g.experts, g.dim)
		return
	}
	ranks, at := g.rng.Perm(g.experts), -1
	// Normed, the first value is this much, and the others' squares sum up to the rest.
	rms := math.Sqrt((carried*carried + float64(g.dim-1)) / float64(g.dim))
	first, others := carried/rms, math.Sqrt(float64(g.dim-1))/rms
	g.floats(name, []int{g.experts, g.dim}, func() float32 {
		at++
		if at%g.dim > 0 {
			return float32(g.rng.NormFloat64() * gumbel / others)
		}
		return float32(-g.skew * math.Log(float64(ranks[at/g.dim]+1)) / first)
	})
}
