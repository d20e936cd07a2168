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
	q32, q256 *kernels.Q8 // kept when not in use
	forms     Forms
	n         int
}

// NewActs returns room for n rows of k values.
func NewActs(n, k int, forms Forms) *Acts {
	a := &Acts{Acts: kernels.Acts{K: k, F32: make([]float32, n*k)}, forms: forms}
	if forms.Q32 {
		a.q32 = kernels.NewQ8(32, n, k)
	}
	if forms.Q256 {
		a.q256 = kernels.NewQ8(256, n, k)
	}
	return a
}

// Row returns row i in float32.
func (a *Acts) Row(i int) []float32 { return a.F32[i*a.K:][:a.K] }

// Prepare fills the 8-bit forms of rows 0..n-1 that forms asks for (and that the
// buffer has room for) from the float32 rows.
func (a *Acts) Prepare(pool *par.Pool, n int, forms Forms) {
	a.Q32, a.Q256 = nil, nil
	if forms.Q32 {
		a.Q32 = a.q32
	}
	if forms.Q256 {
		a.Q256 = a.q256
	}
	a.n = n
	if a.Q32 == nil && a.Q256 == nil {
		return
	}
	if n == 1 {
		a.Do(0, 0)
		return
	}
	pool.Run((n+7)/8, a)
}

// Do quantises rows 8i..8i+7.
func (a *Acts) Do(_, i int) {
	for r := 8 * i; r < min(8*i+8, a.n); r++ {
		a.Quantize(r)
	}
}

// Quantize fills the 8-bit forms in use of row r.
func (a *Acts) Quantize(r int) {
	if a.Q32 != nil {
		a.Q32.Quantize(r, a.Row(r))
	}
	if a.Q256 != nil {
		a.Q256.Quantize(r, a.Row(r))
	}
}
