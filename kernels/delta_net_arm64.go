//go:build !purego

package kernels

import "unsafe"

// deltaNetNEON takes the columns of a row together: what is left of four is the
// portable twin's.
func deltaNetNEON(state []float32, r *DeltaRun) {
	w := r.Width
	if w%4 != 0 || w > 64 {
		deltaNet(state, r)
		return
	}
	var delta [64]float32
	d := unsafe.SliceData(delta[:])
	for t := range r.N {
		q, k, v := r.Q[t*r.Ld:][:r.KeyDim], r.K[t*r.Ld:][:r.KeyDim], r.V[t*r.Ld:][:w]
		decay, beta, dst := r.Decay[t*r.LdGate], r.Beta[t*r.LdGate], r.Dst[t*r.LdDst:][:w]
		clear(delta[:w])
		for i, k := range k {
			axpyGroups(d, &state[i*w], w/4, k)
		}
		for c, v := range v {
			delta[c] = (v - float32(decay*delta[c])) * beta
		}
		clear(dst)
		for i, k := range k {
			row := &state[i*w]
			scaleGroups(row, row, nil, w/4, decay)
			axpyGroups(row, d, w/4, k)
			axpyGroups(&dst[0], row, w/4, q[i])
		}
	}
}
