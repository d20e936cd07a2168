//go:build !purego

package kernels

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/coterie-go/coterie/internal/testkit"
)

// TestRow compares the kernels' conversion of rows of random bytes with Weights.Row,
// signs of zeros included.
func TestRow(t *testing.T) {
	sets := map[string]*floats{"avx2": &floatsAVX2, "avx512": &floatsAVX512}
	r := rand.New(rand.NewPCG(7, 8))
	for _, tab := range available()[1:] {
		for _, f := range slices.Concat(floatFormats, integerFormats) {
			for range 20 {
				c := &trial{t, r, tab, testkit.Wide, 512, r.IntN(7)}
				w := &Weights{Format: f, Rows: 1, K: c.n, Stride: c.n / f.Block * f.Bytes}
				w.Data = c.bytes(w.Stride)
				w.Scale8, w.Scale32 = c.bytes(c.n/32), c.floats(c.n/128)
				got, want := guarded[float32](c, c.n), make([]float32, c.n)
				var s Scratch
				w.Row(want, 0)
				sets[tab.name].row(got, w, 0, &s)
				c.same(got, want, f.Name)
			}
		}
	}
}
