package kernels

// LayerNorm sets dst[i] = fma(w[i], (x[i]-m) * r, b[i]) with m = mean(x), a sum in
// 16 lanes like a dot product, and r = 1/sqrt(mean((x-m)*(x-m)) + eps). dst and x
// may be the same. Ba et al., 2016. It has no form but this one.
func LayerNorm(dst, x, w, b []float32, eps float32) {
	if len(dst) != len(x) || len(w) != len(x) || len(b) != len(x) {
		panic("kernels: LayerNorm: lengths differ")
	}
	var lane [16]float32
	for i, v := range x {
		lane[i%16] += v
	}
	mean := tree(&lane) / float32(len(x))
	for i, v := range x {
		dst[i] = v - mean
	}
	r := 1 / sqrt(Dot(dst, dst)/float32(len(x))+eps)
	for i, v := range dst {
		dst[i] = FMA(w[i], float32(v*r), b[i])
	}
}
