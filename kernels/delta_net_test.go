package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var deltaTwins = []twin{
	{"deltaNet", upTo(9, 16, 64, 128), func(c *trial) { // n is the length of keys
		for _, w := range []int{32, 16, 1} {
			r := &DeltaRun{N: 3, KeyDim: c.n, Width: w, Ld: c.n + 40, LdGate: 2, LdDst: w + 3}
			r.Q, r.K = c.floats(2*r.Ld+c.n), c.floats(2*r.Ld+c.n)
			r.V, r.Dst = c.floats(2*r.Ld+w), c.floats(2*r.LdDst+w)
			r.Decay, r.Beta = c.floats(5), c.floats(5)
			s := c.floats(c.n * w)
			want, wantDst := slices.Clone(s), slices.Clone(r.Dst)
			was := slices.Concat(r.Q, r.K, r.V)
			twin := *r
			twin.Dst = wantDst
			deltaNet(want, &twin)
			c.t.deltaNet(s, r)
			c.same(s, want, "state")
			c.same(r.Dst, wantDst, "output")
			c.unchanged(slices.Concat(r.Q, r.K, r.V), was)
		}
	}},
}

func FuzzDeltaNet(f *testing.F) { fuzz(f, "deltaNet") }

// TestDeltaNet: with keys that are unit vectors, beta 1 and no decay, the memory
// is a table: what was stored last under a key comes back.
func TestDeltaNet(t *testing.T) {
	const d, w = 4, 32
	var q, k, v []float32
	row := func(key int, value float32) {
		e := make([]float32, d)
		e[key] = 1
		q, k = append(q, e...), append(k, e...)
		for range w {
			v = append(v, value)
		}
	}
	row(0, 1)
	row(1, 2)
	row(0, 5) // replaces the 1
	copy(q[2*d:], []float32{0, 1, 0, 0})
	r := &DeltaRun{N: 3, KeyDim: d, Width: w, Q: q, K: k, V: v, Ld: d, Decay: []float32{1}, Beta: []float32{1}, Dst: make([]float32, 3*w), LdDst: w}
	// V has rows of its own length: run token by token
	state := make([]float32, d*w)
	for i := range 3 {
		one := *r
		one.N, one.Q, one.K, one.V, one.Dst = 1, q[i*d:], k[i*d:], v[i*w:], r.Dst[i*w:]
		DeltaNet(state, &one)
	}
	for c := range w {
		if state[c] != 5 || state[w+c] != 2 || r.Dst[2*w+c] != 2 {
			t.Fatalf("column %d: memory %v and %v, read %v; want 5, 2, 2", c, state[c], state[w+c], r.Dst[2*w+c])
		}
	}
}

// TestDeltaNetFormula holds the kernel in use against the formula in float64.
func TestDeltaNetFormula(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	const n, d, w = 20, 24, 32
	floats := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = rnd.Float32() - 0.5
		}
		return x
	}
	r := &DeltaRun{N: n, KeyDim: d, Width: w, Q: floats(n * w), K: floats(n * w), V: floats(n * w), Ld: w, Decay: floats(n), Beta: floats(n), LdGate: 1, Dst: make([]float32, n*w), LdDst: w}
	state := make([]float32, d*w)
	DeltaNet(state, r)
	s := make([]float64, d*w)
	for t0 := range n {
		for c := range w {
			var m, out float64
			for i := range d {
				s[i*w+c] *= float64(r.Decay[t0])
				m += float64(r.K[t0*w+i]) * s[i*w+c]
			}
			delta := (float64(r.V[t0*w+c]) - m) * float64(r.Beta[t0])
			for i := range d {
				s[i*w+c] += float64(r.K[t0*w+i]) * delta
				out += float64(r.Q[t0*w+i]) * s[i*w+c]
			}
			if got := float64(r.Dst[t0*w+c]); math.Abs(got-out) > 1e-5 {
				t.Fatalf("token %d, column %d: %v, want %v", t0, c, got, out)
			}
		}
	}
}

func BenchmarkDeltaNet(b *testing.B) {
	const d, w = 128, 32
	r := &DeltaRun{N: 64, KeyDim: d, Width: w, Ld: d, LdGate: 1, LdDst: w}
	floats := func(n int, v float32) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = v
		}
		return x
	}
	r.Q, r.K, r.V = floats(64*d, 0.1), floats(64*d, 0.05), floats(64*d, 1)
	r.Decay, r.Beta, r.Dst = floats(64, 0.9), floats(64, 0.5), floats(64*w, 0)
	state := make([]float32, d*w)
	for b.Loop() {
		DeltaNet(state, r)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/token")
}
