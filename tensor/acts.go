package tensor

import (
	"github.com/coterie-go/coterie/internal/par"
	"github.com/coterie-go/coterie/kernels"
)

// Forms says in which forms a row of activations is needed.
type Forms struct{ Q32, Q256 bool }

// Need adds the form that products with l take. Integer forms are not for
// transposed weights, nor for rows of another length than In.
func (f *Forms) Need(l *Linear) {
	if l == nil || l.Format == nil || l.Transposed {
		return
	}
	switch block, _ := l.Format.Integer(); block {
	case 32:
		f.Q32 = true
	case 256:
		f.Q256 = true
	}
}

// Acts is a buffer of activation rows in the forms that products need.
type Acts struct {
	kernels.Acts
	rows, n   int
	q32, q256 *kernels.Q8 // made when first used
}

// NewActs returns room for n rows of k values.
func NewActs(n, k int) *Acts {
	return ActsOf(make([]float32, n*k), k)
}

// ActsOf returns room for as many rows of k activations as x holds.
func ActsOf(x []float32, k int) *Acts {
	return &Acts{Acts: kernels.Acts{K: k, F32: x}, rows: len(x) / k}
}

// Rows returns how many rows there is room for.
func (a *Acts) Rows() int { return a.rows }

// Row returns row i in float32.
func (a *Acts) Row(i int) []float32 { return a.F32[i*a.K:][:a.K] }

// Use says which 8-bit forms products shall take. Their values are set by
// Prepare, Quantize or QuantizeRange.
func (a *Acts) Use(forms Forms) {
	a.Q32, a.Q256 = nil, nil
	if forms.Q32 {
		if a.q32 == nil {
			a.q32 = kernels.NewQ8(32, a.rows, a.K)
		}
		a.Q32 = a.q32
	}
	if forms.Q256 {
		if a.q256 == nil {
			a.q256 = kernels.NewQ8(256, a.rows, a.K)
		}
		a.Q256 = a.q256
	}
}

// Prepare fills the 8-bit forms that products with rows 0..n-1 take.
func (a *Acts) Prepare(pool *par.Pool, n int, forms Forms) {
	a.Use(forms)
	a.n = n
	switch {
	case a.Q32 == nil && a.Q256 == nil:
	case n == 1:
		a.Quantize(0)
	default:
		pool.Run((n+7)/8, a)
	}
}

// Do quantises rows 8i..8i+7.
func (a *Acts) Do(_, i int) {
	for r := 8 * i; r < min(8*i+8, a.n); r++ {
		a.Quantize(r)
	}
}

// Quantize fills the 8-bit forms in use of row r.
func (a *Acts) Quantize(r int) { a.QuantizeRange(r, 0, a.K) }

// QuantizeRange does so for values lo..hi-1, which are whole blocks.
func (a *Acts) QuantizeRange(r, lo, hi int) {
	if a.Q32 != nil {
		a.Q32.QuantizeRange(r, a.K, lo, a.Row(r)[lo:hi])
	}
	if a.Q256 != nil {
		a.Q256.QuantizeRange(r, a.K, lo, a.Row(r)[lo:hi])
	}
}
