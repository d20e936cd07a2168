package quant

import (
	"bytes"
	"testing"

	"github.com/coterie-go/coterie/kernels"
)

// TestProductNaN: a block whose scales are not numbers makes what its row is
// multiplied with not a number, in every block format, one column at a time and
// many, on each instruction set.
func TestProductNaN(t *testing.T) {
	const rows, k, bad = 40, 512, 21
	for _, isa := range kernels.ISAs() {
		restore, err := kernels.UseISA(isa)
		if err != nil {
			t.Fatal(err)
		}
		for typ := range formats {
			if typ == MXFP4 || typ == MXFP4Hub || typ.Form() == Float || typ.Format() == nil {
				continue // scales that are powers of two are all numbers; floats are tested as models
			}
			w := kernels.Weights{Format: typ.Format(), Rows: rows, K: k, Data: make([]byte, rows*typ.RowBytes(k)), Stride: typ.RowBytes(k)}
			row := w.Data[bad*w.Stride:][:w.Stride]
			copy(row[len(row)-typ.BlockBytes():], bytes.Repeat([]byte{0xff}, typ.BlockBytes())) // f16 0xffff is NaN
			for _, cols := range []int{1, 2, 9, 40} {
				a := kernels.Acts{K: k, F32: make([]float32, cols*k), Q32: kernels.NewQ8(32, cols, k), Q256: kernels.NewQ8(256, cols, k)}
				for i := range a.F32 {
					a.F32[i] = float32(i%11) - 5
				}
				for c := range cols {
					a.Q32.Quantize(c, a.F32[c*k:][:k])
					a.Q256.Quantize(c, a.F32[c*k:][:k])
				}
				dst := make([]float32, cols*rows)
				kernels.Mul(dst, rows, &w, &a, nil, cols, new(kernels.Scratch))
				for i, v := range dst {
					if isNaN := v != v; isNaN != (i%rows == bad) {
						t.Fatalf("%s, %v, %d columns: row %d of column %d is %v", isa, typ, cols, i%rows, i/rows, v)
					}
				}
			}
		}
		restore()
	}
}
