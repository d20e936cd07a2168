package kernels

import "testing"

// TestNoAllocation calls everything that a token needs with room from an earlier
// call.
func TestNoAllocation(t *testing.T) {
	const k, rows, n, dk = 256, 20, 5, 64
	var s Scratch
	x := &Acts{K: k, F32: normal(n * k), Q32: NewQ8(32, n, k), Q256: NewQ8(256, n, k)}
	dst, v := make([]float32, n*k), normal(k)
	lo, hi := make([]int32, n), make([]int32, n)
	for j := range hi {
		hi[j] = int32(20 + j)
	}
	keys, values := matrix(F16, AttnBlock, dk), matrix(F16, AttnBlock, dk)
	var a Attn
	defer func(old *table) { active = old }(active)
	for _, active = range available() {
		check := func(what string, f func()) {
			t.Helper()
			f()
			if allocs := testing.AllocsPerRun(5, f); allocs != 0 {
				t.Errorf("%s: %s allocates %v times", active.name, what, allocs)
			}
		}
		check("vectors", func() {
			Dot(v, v)
			Axpy(dst[:k], 0.5, v)
			Add(dst[:k], v)
			RMSNorm(dst[:k], v, v, 1e-6)
			Softmax(dst[:k], v)
			SwiGLU(dst[:k], v, v)
			SwiGLUClamped(dst[:k], v, v, 1.702, 7)
			RotateHalf(dst[:k], v[:k/2], v[:k/2])
			RotatePairs(dst[:k], v[:k/2], v[:k/2])
			x.Q32.Quantize(0, v)
			x.Q256.Quantize(0, v)
		})
		for _, f := range append(floatFormats, integerFormats...) {
			w := &Weights{Format: f, Rows: rows, K: k, Stride: k / f.Block * f.Bytes}
			w.Data = make([]byte, rows*w.Stride)
			w.Scale8, w.Scale32 = make([]byte, rows*k/32), make([]float32, 2)
			if f.SmallBeside != nil {
				w.ScaleStride = k / 32
			}
			for _, n := range []int{1, n} {
				check(f.Name, func() { Mul(dst, k, w, x, nil, n, &s) })
				check(f.Name+" transposed", func() { MulT(dst, k, w, v, 0, nil, n, &s) })
			}
		}
		check("attention", func() {
			a.Reset(n, dk, nil)
			a.Attend(v, 0, keys, values, lo, hi, 0.1, &s)
			a.Values(dst[:dk], 1)
		})
	}
}
