//go:build !purego

package kernels

// deltaNetNEON takes the columns of a row together.
func deltaNetNEON(state []float32, r *DeltaRun) {
	w := r.Width
	if w%4 != 0 || w > 64 || w == 0 {
		deltaNet(state, r)
		return
	}
	var lanes [4][64]float32
	var delta, step [64]float32
	join := func(dst []float32) {
		for c := range dst {
			dst[c] = (lanes[0][c] + lanes[2][c]) + (lanes[1][c] + lanes[3][c])
		}
	}
	for t := range r.N {
		q, k, v := r.Q[t*r.Ld:][:r.KeyDim], r.K[t*r.Ld:][:r.KeyDim], r.V[t*r.Ld:][:w]
		decay, beta := r.Decay[t*r.LdGate], r.Beta[t*r.LdGate]
		lanes = [4][64]float32{}
		for i, k := range k {
			axpyGroups(&lanes[i%4][0], &state[i*w], w/4, k)
		}
		join(delta[:w])
		for c, v := range v {
			delta[c] = (v - float32(decay*delta[c])) * beta
		}
		lanes = [4][64]float32{}
		for i, k := range k {
			row := &state[i*w]
			scaleGroups(row, row, nil, w/4, decay)
			scaleGroups(&step[0], &delta[0], nil, w/4, k)
			addGroups(row, &step[0], w/4)
			axpyGroups(&lanes[i%4][0], row, w/4, q[i])
		}
		join(r.Dst[t*r.LdDst:][:w])
	}
}
