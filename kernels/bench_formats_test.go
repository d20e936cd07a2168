package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/coterie-go/coterie/internal/testkit"
)

// BenchmarkFormats multiplies every integer format with one column, as decode
// does, and reports bytes of weights a second and what part that is of q4_K's,
// measured in turns with it: by one thread from its second cache, and by all
// threads from memory. From memory, where decode has them, none is to stay below a
// quarter.
func BenchmarkFormats(b *testing.B) {
	const k = 2048
	data := make([]byte, 192<<20) // more than the third cache of most machines
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range data[:1<<20] {
		data[i] = byte(rng.Uint32())
	}
	for n := 1 << 20; n < len(data); n *= 2 {
		copy(data[n:], data[:n])
	}
	for _, isa := range available()[1:] {
		for _, place := range []struct {
			name         string
			threads, max int // bytes of all threads
		}{
			{"cache", 1, 288 << 10},
			{"memory", runtime.GOMAXPROCS(0), len(data)},
		} {
			product := func(f *Format) (bytes int, run func()) {
				block, _ := f.Integer()
				w := &Weights{Format: f, K: k}
				w.Stride = w.rowBytes()
				row := w.Stride
				if f.SmallBeside != nil {
					w.ScaleStride = k / 32
					row += w.ScaleStride
				}
				w.Rows = place.max / row / (16 * place.threads) * (16 * place.threads)
				w.Data = data[:w.Rows*w.Stride]
				w.Scale8 = data[len(w.Data):][:w.Rows*w.ScaleStride]
				if w.ScaleStride == 0 {
					w.Scale8 = nil
				}
				if f == MXFP4 { // of ordinary size: what is not normalised takes some CPUs longer
					for i := 0; i < len(w.Data); i += f.Bytes {
						w.Data[i] = 117 + w.Data[i]%8
					}
				}
				x := randomQ8(b, rng, block, 1, k, testkit.Normal)
				dst := make([]float32, w.Rows)
				scratch := make([]Scratch, place.threads)
				part := w.Rows / place.threads
				return w.Rows * row, func() {
					var wg sync.WaitGroup
					for i := range place.threads {
						wg.Go(func() {
							s := &scratch[i]
							s.View = w.Slice(i*part, (i+1)*part)
							isa.mulQ8(dst[i*part:][:part], part, &s.View, x, nil, 1, s)
						})
					}
					wg.Wait()
				}
			}
			for _, f := range integerFormats {
				b.Run(fmt.Sprintf("%s/%s/%s", isa.name, place.name, f.Name), func(b *testing.B) {
					bytes, run := product(f)
					yardBytes, yard := product(Q4K)
					// The fastest of each: what the cores do when nobody disturbs them.
					fastest, yardFastest := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
					for b.Loop() {
						start := time.Now()
						run()
						turn := time.Now()
						yard()
						fastest, yardFastest = min(fastest, turn.Sub(start)), min(yardFastest, time.Since(turn))
					}
					speed, yardSpeed := float64(bytes)/float64(fastest), float64(yardBytes)/float64(yardFastest)
					b.ReportMetric(speed, "GB/s")
					b.ReportMetric(yardSpeed, "q4_K-GB/s")
					b.ReportMetric(speed/yardSpeed, "of-q4_K")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}
