package kernels

// DeltaRun is n tokens of one head of a gated delta net, for Width of its values.
// Token t's query and key are Q[t*Ld:] and K[t*Ld:], KeyDim values each, its value
// V[t*Ld:]; its output goes to Dst[t*LdDst:].
type DeltaRun struct {
	N, KeyDim, Width int
	Q, K, V          []float32
	Ld               int
	Decay, Beta      []float32 // token t's at t*LdGate
	LdGate           int
	Dst              []float32
	LdDst            int
}

// DeltaNet runs the gated delta rule (Yang et al., 2024) over the tokens of r, one
// after another. state is the head's memory S, (KeyDim, Width). For each token and
// each column c,
//
//	m = sum of k[i]*S[i][c]
//	d = (v[c] - decay*m) * beta
//	S[i][c] = decay*S[i][c] + k[i]*d
//	out[c] = sum of q[i]*S[i][c]
//
// so that a prompt and its tokens one by one leave the same bits. A sum runs in
// four lanes, lane l = fma(k[i], S[i][c], l) for ascending i with i mod 4 = l,
// starting from +0, joined as (0+2) + (1+3); the rest is rounded step by step.
func DeltaNet(state []float32, r *DeltaRun) {
	last := r.N - 1
	if r.N < 0 || len(state) != r.KeyDim*r.Width || (r.N > 0 &&
		(len(r.Q) < last*r.Ld+r.KeyDim || len(r.K) < last*r.Ld+r.KeyDim || len(r.V) < last*r.Ld+r.Width ||
			len(r.Decay) <= last*r.LdGate || len(r.Beta) <= last*r.LdGate || len(r.Dst) < last*r.LdDst+r.Width)) {
		panic("kernels: DeltaNet: shapes do not fit")
	}
	active.deltaNet(state, r)
}

func deltaNet(state []float32, r *DeltaRun) {
	w := r.Width
	for t := range r.N {
		q, k, v := r.Q[t*r.Ld:][:r.KeyDim], r.K[t*r.Ld:][:r.KeyDim], r.V[t*r.Ld:][:w]
		decay, beta, dst := r.Decay[t*r.LdGate], r.Beta[t*r.LdGate], r.Dst[t*r.LdDst:][:w]
		for c := range w {
			var m, out [4]float32
			for i, k := range k {
				m[i%4] = FMA(k, state[i*w+c], m[i%4])
			}
			d := (v[c] - float32(decay*join4(&m))) * beta
			for i, k := range k {
				s := float32(decay*state[i*w+c]) + float32(k*d)
				state[i*w+c] = s
				out[i%4] = FMA(q[i], s, out[i%4])
			}
			dst[c] = join4(&out)
		}
	}
}

func join4(l *[4]float32) float32 { return (l[0] + l[2]) + (l[1] + l[3]) }
