package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestLayerNorm(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 70; n++ {
		x, w, b := make([]float32, n), make([]float32, n), make([]float32, n)
		var mean, square float64
		for i := range x {
			x[i], w[i], b[i] = rnd.Float32()*4-1, rnd.Float32(), rnd.Float32()
			mean += float64(x[i]) / float64(n)
		}
		for _, v := range x {
			square += (float64(v) - mean) * (float64(v) - mean) / float64(n)
		}
		got := make([]float32, n)
		LayerNorm(got, x, w, b, 1e-5)
		for i, v := range x {
			want := (float64(v)-mean)/math.Sqrt(square+1e-5)*float64(w[i]) + float64(b[i])
			if math.Abs(float64(got[i])-want) > 1e-5 {
				t.Fatalf("n %d: value %d is %v, want %v", n, i, got[i], want)
			}
		}
		LayerNorm(x, x, w, b, 1e-5)
		for i := range x {
			if x[i] != got[i] {
				t.Fatalf("n %d: in place, value %d is %v, want %v", n, i, x[i], got[i])
			}
		}
	}
}
