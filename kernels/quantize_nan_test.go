package kernels

import (
	"math"
	"testing"
)

// A value that is no number makes the scale of its block NaN, and of no other, and
// every product with the row NaN.
func TestQuantizeNaN(t *testing.T) {
	for _, block := range []int{32, 256} {
		const k = 1024
		for at := 0; at < k; at += 37 {
			x := make([]float32, k)
			for i := range x {
				x[i] = float32(i%7 - 3)
			}
			x[at] = float32(math.NaN())
			q := NewQ8(block, 2, k)
			q.Quantize(1, x)
			for b, d := range q.D[k/block:] {
				if isNaN := d != d; isNaN != (b == at/block) {
					t.Fatalf("blocks of %d, NaN at %d: scale of block %d is %v", block, at, b, d)
				}
			}
			for _, d := range q.D[:k/block] {
				if d != 0 {
					t.Fatal("another row was written to")
				}
			}
		}
	}
}
