package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/coterie-go/coterie/internal/testkit"
)

// each runs a benchmark with every table.
func eachTable(b *testing.B, f func(b *testing.B, t *table)) {
	for _, t := range available() {
		b.Run(t.name, func(b *testing.B) { f(b, t) })
	}
}

func normal(n int) []float32 {
	x := make([]float32, n)
	testkit.Fill(rand.New(rand.NewPCG(1, 2)), x, testkit.Normal)
	return x
}

// matrix returns rows of a float format with finite values.
func matrix(f *Format, rows, k int) *Weights {
	w := &Weights{Format: f, Rows: rows, K: k, Stride: k * f.Bytes, Data: make([]byte, rows*k*f.Bytes)}
	r := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(w.Data); i += f.Bytes {
		v := float32(r.NormFloat64())
		switch f {
		case F32:
			put32(w.Data[i:], math.Float32bits(v))
		case F16:
			put16(w.Data[i:], F32ToF16(v))
		case BF16:
			put16(w.Data[i:], F32ToBF16(v))
		case F8E4M3:
			w.Data[i] = byte(r.Uint32()) &^ 4
		}
	}
	if f == F8E4M3 {
		w.ScaleStride = (k + 127) / 128
		w.Scale32 = normal((rows + 127) / 128 * w.ScaleStride)
	}
	return w
}

// best calls f again and again and reports the fastest call, which is what the core
// does when nobody disturbs it: bytes and multiply-adds a second.
func best(b *testing.B, bytes, macs int, f func()) {
	b.SetBytes(int64(bytes))
	fastest := time.Duration(math.MaxInt64)
	for b.Loop() {
		start := time.Now()
		f()
		fastest = min(fastest, time.Since(start))
	}
	if bytes > 0 {
		b.ReportMetric(float64(bytes)/float64(fastest), "best-GB/s")
	}
	if macs > 0 {
		b.ReportMetric(float64(macs)/float64(fastest), "best-Gmac/s")
	}
}

// BenchmarkMulFloat measures products with matrices that no cache holds, some
// rows after others, and with one that the second cache nearly holds for many
// columns. Bytes are of weights.
func BenchmarkMulFloat(b *testing.B) {
	const k = 2048
	for _, f := range floatFormats {
		for _, n := range []int{1, 3, 96} {
			rows, all := 1<<20/k/f.Bytes, 192<<20/k/f.Bytes
			if n > 3 {
				rows, all = 256, 256
			}
			w := matrix(f, all, k)
			x, dst := normal(n*k), make([]float32, n*rows)
			b.Run(fmt.Sprintf("%s/n=%d", f.Name, n), func(b *testing.B) {
				eachTable(b, func(b *testing.B, t *table) {
					var s Scratch
					r := 0
					best(b, rows*k*f.Bytes, rows*k*n, func() {
						w := w.Slice(r, r+rows)
						t.mulFloat(dst, rows, &w, x, nil, n, &s)
						r = (r + rows) % all
					})
				})
			})
		}
	}
}

// BenchmarkMulT measures transposed products of the size of a latent attention's.
func BenchmarkMulT(b *testing.B) {
	for _, f := range []*Format{F32, F16, BF16} {
		for _, n := range []int{1, 64} {
			w := matrix(f, 128, 512)
			x, dst := normal(n*128), make([]float32, n*512)
			b.Run(fmt.Sprintf("%s/n=%d", f.Name, n), func(b *testing.B) {
				eachTable(b, func(b *testing.B, t *table) {
					var s Scratch
					best(b, len(w.Data), 128*512*n, func() { t.mulT(dst, 512, w, x, 128, nil, n, &s) })
				})
			})
		}
	}
}

// BenchmarkAttend measures a block of keys: queries of one token or of many, and
// latent attention. Bytes are of keys and values.
func BenchmarkAttend(b *testing.B) {
	for _, c := range []struct{ n, dk, dv int }{
		{1, 128, 128}, {4, 128, 128}, {8, 128, 128}, {8, 576, 512}, {16, 576, 512}, {64, 128, 128}, {128, 128, 128}, {512, 128, 128}, {512, 64, 64}, {32, 576, 512}, {64, 576, 512}, {128, 576, 512},
	} {
		// Blocks one after another, so that none is in a cache; many queries meet
		// the same block.
		blocks := 1024
		if c.n > 128 {
			blocks = 1
		}
		k := matrix(F16, blocks*AttnBlock, c.dk)
		v := &Weights{}
		if c.dk == c.dv {
			v = matrix(F16, blocks*AttnBlock, c.dv)
		} else { // latent: the values are a part of the keys
			*v = *k
			v.K, v.Data = c.dv, k.Data[2*(c.dk-c.dv):]
		}
		q := normal(c.n * c.dk)
		lo, hi := make([]int32, c.n), make([]int32, c.n)
		for j := range hi {
			hi[j] = AttnBlock
		}
		b.Run(fmt.Sprintf("%dx%dx%d", c.n, c.dk, c.dv), func(b *testing.B) {
			eachTable(b, func(b *testing.B, t *table) {
				var a Attn
				var s Scratch
				a.Reset(c.n, c.dv, nil)
				i, bytes := 0, 2*AttnBlock*c.dk
				if c.dk == c.dv {
					bytes *= 2
				}
				// Several blocks a call, so that the clock costs nothing.
				calls := 1 + 64/c.n
				best(b, calls*bytes, calls*c.n*AttnBlock*(c.dk+c.dv), func() {
					for range calls {
						r := i % blocks * AttnBlock
						i++
						a.Next = k.Data[i%blocks*AttnBlock*k.Stride:]
						k, v := k.Slice(r, r+AttnBlock), v.Slice(r, r+AttnBlock)
						t.attend(&a, q, c.dk, &k, &v, lo, hi, 0.1, &s)
					}
				})
			})
		})
	}
}

func BenchmarkVectors(b *testing.B) {
	x, y, z := normal(2048), normal(2048), normal(2048)
	q := NewQ8(256, 1, 2048)
	for _, c := range []struct {
		name string
		f    func(t *table)
	}{
		{"dot", func(t *table) { t.dot(x, y) }},
		{"axpy", func(t *table) { t.axpy(x, 0, y) }},
		{"rmsNorm", func(t *table) { t.rmsNorm(z, x, y, 1e-6) }},
		{"softmax", func(t *table) { t.softmax(z, x) }},
		{"swiGLU", func(t *table) { t.swiGLU(z, x, y) }},
		{"swiGLUClamped", func(t *table) { t.swiGLUClamped(z, x, y, 1.702, 7) }},
		{"quantize", func(t *table) { t.quantize(q.Q, q.D, q.Sums, x, 256) }},
		{"quantize32", func(t *table) { t.quantize(q.Q, make32[:64], q.Sums, x, 32) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			eachTable(b, func(b *testing.B, t *table) { best(b, 0, 2048, func() { c.f(t) }) })
		})
	}
}

var make32 [64]float32

// BenchmarkLimits measures what the others are to be compared with: multiply-adds
// of a core, from registers, and its reading of memory.
func BenchmarkLimits(b *testing.B) {
	data := make([]byte, 256<<20)
	for i := 0; i < len(data); i += 4096 {
		data[i] = 1
	}
	eachTable(b, func(b *testing.B, t *table) {
		n := t.limitFloat(1 << 16)
		b.Run("float", func(b *testing.B) { best(b, 0, n, func() { t.limitFloat(1 << 16) }) })
		n8 := t.limitInt8(1 << 18)
		b.Run("int8", func(b *testing.B) { best(b, 0, n8, func() { t.limitInt8(1 << 18) }) })
		at := 0
		b.Run("read", func(b *testing.B) {
			best(b, 1<<20, 0, func() {
				t.limitRead(data[at:][:1<<20])
				at = (at + 1<<20) % len(data)
			})
		})
	})
}
