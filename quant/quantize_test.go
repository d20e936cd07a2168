package quant

import (
	"math/rand/v2"
	"slices"
)

// gaussian returns n normal values of deviation 0.02, about what weights are.
func gaussian(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 0))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(0.02 * r.NormFloat64())
	}
	return x
}

// quantizable lists the block types that Quantize writes.
func quantizable() (types []Type) {
	for t, f := range formats {
		if f.quantize != nil {
			types = append(types, t)
		}
	}
	slices.Sort(types)
	return types
}
