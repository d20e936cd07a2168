package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/coterie-go/coterie/internal/testkit"
)

// integerFormats are the formats whose products take activations in 8 bits.
var integerFormats = []*Format{
	Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4NL, MXFP4, MXFP4Hub, NVFP4, Q2K, Q3K, Q4K, Q5K, Q6K,
	IQ1S, IQ1M, IQ2XXS, IQ2XS, IQ2S, IQ3XXS, IQ3S, IQ4XS, TQ1_0, TQ2_0,
}

// randomWeights returns rows of random blocks between guard pages; scales are
// whatever the bytes say: infinite, NaN, subnormal.
func randomWeights(tb testing.TB, rng *rand.Rand, f *Format, rows, k, gap int) *Weights {
	w := &Weights{Format: f, Rows: rows, K: k}
	w.Stride = w.rowBytes() + gap
	w.Data = testkit.Before[byte](tb, (rows-1)*w.Stride+w.rowBytes(), 0)
	for i := range w.Data {
		w.Data[i] = byte(rng.Uint32())
	}
	if f.SmallBeside != nil {
		w.ScaleStride = k / 32
		w.Scale8 = testkit.Before[byte](tb, rows*w.ScaleStride, 0)
		for i := range w.Scale8 {
			w.Scale8[i] = byte(rng.Uint32())
		}
	}
	return w
}

// randomQ8 returns n rows of activations between guard pages.
func randomQ8(tb testing.TB, rng *rand.Rand, block, n, k int, kind testkit.Kind) *Q8 {
	q := &Q8{block, testkit.Before[int8](tb, n*k, 0), testkit.Before[float32](tb, n*k/block, 0), testkit.Before[int16](tb, n*k/16, 0)}
	testkit.Fill(rng, q.D, kind)
	for i := range q.Q {
		switch rng.IntN(8) { // extremes now and then
		case 0:
			q.Q[i] = 127
		case 1:
			q.Q[i] = -127
		default:
			q.Q[i] = int8(rng.IntN(255) - 127)
		}
	}
	if rng.IntN(4) == 0 { // all at one end: the greatest sums there are
		for i := range q.Q {
			q.Q[i] = 127
		}
	}
	for i := range q.Sums {
		for _, v := range q.Q[16*i:][:16] {
			q.Sums[i] += int16(v)
		}
	}
	return q
}

func eachISA(t *testing.T, f func(t *testing.T, isa *table)) {
	for _, isa := range withForms() {
		t.Run(isa.name, func(t *testing.T) { f(t, isa) })
	}
}

func TestMulQ8(t *testing.T) {
	eachISA(t, func(t *testing.T, isa *table) {
		for _, f := range integerFormats {
			t.Run(f.Name, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(1, 2))
				block, _ := f.Integer()
				unit := max(f.Block, block)
				var s, s2 Scratch
				for trial := range 60 {
					rows, n, k := 1+rng.IntN(50), rng.IntN(20), unit*(1+rng.IntN(4))
					switch trial {
					case 0:
						rows, n, k = 16, 1, unit
					case 1:
						rows, n, k = 48, 8, unit*3
					case 2:
						k = unit * 40
					case 3, 4, 5, 6, 7: // one column, of blocks in whole groups of 16 and not
						rows, n, k = 16+rng.IntN(20), 1, unit*([]int{15, 16, 17, 32, 45}[trial-3])
					}
					w := randomWeights(t, rng, f, rows, k, rng.IntN(2)*rng.IntN(9))
					kinds := testkit.Kinds()
					x := randomQ8(t, rng, block, n+3, k, kinds[trial%len(kinds)])
					cols := make([]int32, n)
					for j := range cols {
						cols[j] = int32(rng.IntN(n + 3))
					}
					if rng.IntN(3) == 0 {
						cols = nil
					}
					ld := rows + rng.IntN(5)
					size := max((n-1)*ld+rows, 0)
					got, want := testkit.Before[float32](t, size, 0), make([]float32, size)
					for i := range got {
						got[i], want[i] = 7, 7
					}
					isa.mulQ8(got, ld, w, x, cols, n, &s)
					mulQ8(want, ld, w, x, cols, n, &s2)
					testkit.SameBits(t, got, want, "%d rows, %d columns, %d values", rows, n, k)
				}
			})
		}
	})
}

// Rows of one byte have the greatest codes of every format among them, and with
// activations at one end the greatest sums, which must fit the bits they are added in.
func TestMulQ8OfGreatestSums(t *testing.T) {
	eachISA(t, func(t *testing.T, isa *table) {
		for _, f := range integerFormats {
			block, _ := f.Integer()
			k := max(f.Block, block)
			rng := rand.New(rand.NewPCG(1, 2))
			w := randomWeights(t, rng, f, 16, k, 0)
			x := randomQ8(t, rng, block, 2, k, testkit.Normal)
			got, want := make([]float32, 32), make([]float32, 32)
			var s, s2 Scratch
			for b := range 256 {
				for i := range w.Data {
					w.Data[i] = byte(b)
				}
				for i := range w.Scale8 {
					w.Scale8[i] = 127
				}
				for _, q := range []int8{127, -127} {
					for i := range x.Q {
						x.Q[i] = q
					}
					for i := range x.Sums {
						x.Sums[i] = 16 * int16(q)
					}
					for n := 1; n <= 2; n++ {
						isa.mulQ8(got, 16, w, x, nil, n, &s)
						mulQ8(want, 16, w, x, nil, n, &s2)
						testkit.SameBits(t, got[:16*n], want[:16*n], "%s, bytes %#x, activations %d, %d columns", f.Name, b, q, n)
					}
				}
			}
		}
	})
}

// A format that no table knows goes the portable way.
func TestMulQ8OfUnknownFormat(t *testing.T) {
	eachISA(t, func(t *testing.T, isa *table) {
		rng := rand.New(rand.NewPCG(1, 2))
		f := &Format{Name: "mine", Block: 256, Bytes: 144, Super: UnpackQ4K, Min: true}
		w := randomWeights(t, rng, f, 20, 512, 0)
		x := randomQ8(t, rng, 256, 3, 512, testkit.Normal)
		got, want := make([]float32, 60), make([]float32, 60)
		var s Scratch
		isa.mulQ8(got, 20, w, x, nil, 3, &s)
		mulQ8(want, 20, w, x, nil, 3, &s)
		testkit.SameBits(t, got, want, "mine")
	})
}

func TestMulQ8DoesNotAllocate(t *testing.T) {
	eachISA(t, func(t *testing.T, isa *table) {
		for _, f := range integerFormats {
			rng := rand.New(rand.NewPCG(1, 2))
			block, _ := f.Integer()
			w := randomWeights(t, rng, f, 40, 512, 0)
			few := w.Slice(3, 10)
			x := randomQ8(t, rng, block, 9, 512, testkit.Normal)
			dst := make([]float32, 40*9)
			var s Scratch
			if n := testing.AllocsPerRun(5, func() {
				isa.mulQ8(dst, 40, w, x, nil, 9, &s)
				isa.mulQ8(dst, 40, w, x, nil, 1, &s)
				isa.mulQ8(dst, 40, &few, x, nil, 9, &s)
			}); n > 0 {
				t.Errorf("%s: %v allocations", f.Name, n)
			}
		}
	})
}

// FuzzMulQ8 holds every table against the portable product on blocks of the
// fuzzer's own bytes.
func FuzzMulQ8(f *testing.F) {
	for i := range integerFormats {
		f.Add(uint8(i), uint8(16+i), uint8(1+i%9), uint8(1+i%3), int64(i), []byte{0, 0x3c, 0xff, 0x80, 0x7f})
	}
	f.Fuzz(func(t *testing.T, format, rows, n, blocks uint8, seed int64, data []byte) {
		f := integerFormats[int(format)%len(integerFormats)]
		rng := rand.New(rand.NewPCG(uint64(seed), 0))
		block, _ := f.Integer()
		r, cols, k := 1+int(rows)%40, int(n)%20, max(f.Block, block)*(1+int(blocks)%20)
		w := randomWeights(t, rng, f, r, k, 0)
		for i := 0; i < len(w.Data) && len(data) > 0; i += len(data) {
			copy(w.Data[i:], data)
		}
		x := randomQ8(t, rng, block, cols, k, testkit.Kind(int(blocks)%len(testkit.Kinds())))
		want := make([]float32, r*cols)
		var s Scratch
		mulQ8(want, r, w, x, nil, cols, &s)
		for _, isa := range withForms() {
			got := make([]float32, r*cols)
			isa.mulQ8(got, r, w, x, nil, cols, &s)
			testkit.SameBits(t, got, want, "%s %s: %d rows, %d columns, %d values", isa.name, f.Name, r, cols, k)
		}
	})
}

func BenchmarkMulQ8(b *testing.B) {
	for _, isa := range available()[1:] {
		for _, f := range integerFormats {
			for _, n := range []int{1, 4, 8, 16, 32, 64} {
				b.Run(fmt.Sprintf("%s/%s/%d", isa.name, f.Name, n), func(b *testing.B) {
					const rows, k = 256, 2048 // as one worker's share of an expert; lies in L2
					rng := rand.New(rand.NewPCG(1, 2))
					block, _ := f.Integer()
					w := randomWeights(b, rng, f, rows, k, 0)
					x := randomQ8(b, rng, block, n, k, testkit.Normal)
					dst := make([]float32, rows*n)
					var s Scratch
					b.SetBytes(int64(len(w.Data) + len(w.Scale8)))
					for b.Loop() {
						isa.mulQ8(dst, rows, w, x, nil, n, &s)
					}
					b.ReportMetric(float64(rows*k*n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gmac/s")
				})
			}
		}
	}
}
