//go:build !purego

package kernels

import "unsafe"

func deltaNetAVX2(state []float32, r *DeltaRun)   { deltaSteps(deltaStepAVX2, state, r) }
func deltaNetAVX512(state []float32, r *DeltaRun) { deltaSteps(deltaStepAVX512, state, r) }

// deltaSteps runs the assembly, which takes 32 columns, token by token.
func deltaSteps(step func(state, q, k, v, dst *float32, decay, beta float32, dk int), state []float32, r *DeltaRun) {
	if r.Width != 32 || r.KeyDim%4 != 0 || r.KeyDim == 0 {
		deltaNet(state, r)
		return
	}
	s := unsafe.SliceData(state)
	for t := range r.N {
		step(s, &r.Q[t*r.Ld], &r.K[t*r.Ld], &r.V[t*r.Ld], &r.Dst[t*r.LdDst], r.Decay[t*r.LdGate], r.Beta[t*r.LdGate], r.KeyDim)
	}
}
