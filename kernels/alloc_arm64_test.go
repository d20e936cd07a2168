//go:build !purego

package kernels

import (
	"math/rand/v2"
	"testing"

	"github.com/coterie-go/coterie/internal/testkit"
)

// TestAllocations: with a scratch that has been used before, nothing is allocated.
func TestAllocations(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const rows, k = 11, 512
	for _, isa := range available()[1:] {
		var s Scratch
		none := func(what string, f *Format, n int, run func()) {
			t.Helper()
			if a := testing.AllocsPerRun(2, run); a != 0 {
				t.Errorf("%s: %s of %s with %d columns: %v allocations", isa.name, what, f.Name, n, a)
			}
		}
		for _, n := range []int{1, 2, 3, 9} {
			dst, x := make([]float32, n*k), make([]float32, n*k)
			for _, f := range integerFormats {
				block, _ := f.Integer()
				w, q := randomWeights(t, rng, f, rows, k, 0), randomQ8(t, rng, block, n, k, testkit.Normal)
				none("mulQ8", f, n, func() { isa.mulQ8(dst, rows, w, q, nil, n, &s) })
				none("mulFloat", f, n, func() { isa.mulFloat(dst, rows, w, x, nil, n, &s) })
				none("mulT", f, n, func() { isa.mulT(dst, k, w, x, rows, nil, n, &s) })
			}
			for _, f := range []*Format{F32, F16, BF16} {
				for _, k := range []int{64, 70} {
					w := &Weights{Format: f, Rows: AttnBlock, K: k, Stride: k * f.Bytes, Data: make([]byte, AttnBlock*k*f.Bytes)}
					none("mulFloat", f, n, func() { isa.mulFloat(dst, AttnBlock, w, x, nil, n, &s) })
					none("mulT", f, n, func() { isa.mulT(dst, k, w, x, AttnBlock, nil, n, &s) })
					var a Attn
					a.Reset(n, k, nil)
					lo, hi := make([]int32, n), make([]int32, n)
					for i := range hi {
						hi[i] = AttnBlock
					}
					none("attend", f, n, func() { isa.attend(&a, x, k, w, w, lo, hi, 0.125, &s) })
				}
			}
		}
	}
}
