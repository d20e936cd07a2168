package quant

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkQuantize reports values a second on one core.
func BenchmarkQuantize(b *testing.B) {
	x := gaussian(256*64, 1)
	for _, t := range quantizable() {
		b.Run(t.String(), func(b *testing.B) {
			dst := make([]byte, t.RowBytes(len(x)))
			for b.Loop() {
				if err := Quantize(dst, t, x, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(x))*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mvalues/s")
		})
	}
}

func BenchmarkDequantize(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for t := range formats {
		if t.Form() < Small32 || t == MXFP4Hub {
			continue
		}
		b.Run(t.String(), func(b *testing.B) {
			src := make([]byte, t.RowBytes(4096))
			for i := range src {
				src[i] = byte(r.Uint32())
			}
			dst := make([]float32, 4096)
			for b.Loop() {
				if err := Dequantize(dst, t, src); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(dst))*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mvalues/s")
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	src := make([]byte, Q4_K.RowBytes(1<<20))
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if err := Check(Q4_K, src); err != nil {
			b.Fatal(err)
		}
	}
}
