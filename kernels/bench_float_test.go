package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

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

// BenchmarkMulFloat measures products with matrices that no cache holds, one
// column, and that the second cache nearly holds, many columns. MB/s are of weights.
func BenchmarkMulFloat(b *testing.B) {
	for _, f := range floatFormats {
		for _, c := range []struct{ rows, k, n int }{{64 << 20 / 2048 / f.Bytes, 2048, 1}, {64 << 20 / 2048 / f.Bytes, 2048, 3}, {256, 2048, 96}} {
			w := matrix(f, c.rows, c.k)
			x, dst := normal(c.n*c.k), make([]float32, c.n*c.rows)
			eachTable(b, func(b *testing.B, t *table) {
				if t == &portable && c.rows > 256 {
					b.Skip()
				}
				var s Scratch
				b.Run(fmt.Sprintf("%s/n=%d", f.Name, c.n), func(b *testing.B) {
					b.SetBytes(int64(len(w.Data)))
					for b.Loop() {
						t.mulFloat(dst, c.rows, w, x, nil, c.n, &s)
					}
					gmacs(b, c.rows*c.k*c.n)
				})
			})
		}
	}
}

// gmacs reports multiply-adds a second.
func gmacs(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gmac/s")
}

// BenchmarkMulT measures transposed products of the size of a latent attention's.
func BenchmarkMulT(b *testing.B) {
	for _, f := range []*Format{F32, F16, BF16} {
		for _, n := range []int{1, 64} {
			w := matrix(f, 128, 512)
			x, dst := normal(n*128), make([]float32, n*512)
			eachTable(b, func(b *testing.B, t *table) {
				var s Scratch
				b.Run(fmt.Sprintf("%s/n=%d", f.Name, n), func(b *testing.B) {
					b.SetBytes(int64(len(w.Data)))
					for b.Loop() {
						t.mulT(dst, 512, w, x, 128, nil, n, &s)
					}
					gmacs(b, 128*512*n)
				})
			})
		}
	}
}

// BenchmarkAttend measures a block of keys: queries of one token or of many, and
// latent attention. MB/s are of keys and values.
func BenchmarkAttend(b *testing.B) {
	for _, c := range []struct{ n, dk, dv int }{
		{1, 128, 128}, {4, 128, 128}, {8, 128, 128}, {16, 576, 512}, {128, 576, 512}, {512, 128, 128}, {512, 64, 64},
	} {
		// Blocks of a cache of 8,192 keys one after another, so that none is in a
		// cache; many queries meet the same block.
		blocks := 8192 / AttnBlock
		if c.n > 64 {
			blocks = 1
		}
		k, v := matrix(F16, blocks*AttnBlock, c.dk), matrix(F16, blocks*AttnBlock, c.dv)
		q := normal(c.n * c.dk)
		lo, hi := make([]int32, c.n), make([]int32, c.n)
		for j := range hi {
			hi[j] = AttnBlock
		}
		eachTable(b, func(b *testing.B, t *table) {
			if t == &portable && c.n > 16 {
				b.Skip()
			}
			var a Attn
			var s Scratch
			a.Reset(c.n, c.dv, nil)
			b.Run(fmt.Sprintf("%dx%dx%d", c.n, c.dk, c.dv), func(b *testing.B) {
				b.SetBytes(int64(2 * AttnBlock * (c.dk + c.dv)))
				i := 0
				for b.Loop() {
					r := i % blocks * AttnBlock
					i++
					k, v := k.Slice(r, r+AttnBlock), v.Slice(r, r+AttnBlock)
					t.attend(&a, q, c.dk, &k, &v, lo, hi, 0.1, &s)
				}
				gmacs(b, c.n*AttnBlock*(c.dk+c.dv))
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
		eachTable(b, func(b *testing.B, t *table) {
			b.Run(c.name, func(b *testing.B) {
				for b.Loop() {
					c.f(t)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2048, "ns/value")
			})
		})
	}
}

var make32 [64]float32

// BenchmarkLimits measures what the others are to be compared with: fused
// multiply-adds of a core, from registers, and its reading of memory.
func BenchmarkLimits(b *testing.B) {
	data := make([]byte, 256<<20)
	for i := 0; i < len(data); i += 4096 {
		data[i] = 1
	}
	eachTable(b, func(b *testing.B, t *table) {
		for _, l := range []struct {
			name string
			f    func(int) int
		}{{"float", t.limitFloat}, {"int8", t.limitInt8}} {
			b.Run(l.name, func(b *testing.B) {
				n := 0
				for b.Loop() {
					n = l.f(1 << 20)
				}
				gmacs(b, n)
			})
		}
		b.Run("read", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				t.limitRead(data)
			}
		})
	})
}
