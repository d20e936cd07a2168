package quant

import "github.com/coterie-go/coterie/kernels"

var (
	levelsFP4 = newLevels(kernels.FP4[:])
	codeFP4   = invert(&kernels.FP4)
)

// err returns the weighted error of x ~ s*q less sum w*x*x.
func (g *levels) err(x, w []float32, s float32) float32 {
	wxq, wqq := g.sums(x, w, inverse(s))
	return float32(s * (float32(s*wqq) - 2*wxq))
}
