package kernels

// Checkpoints that store gate and up together let them take turns, by rows or by
// columns. Both are views: rows by their stride, columns by formats whose block
// holds a value and its neighbour.

// EveryOtherRow returns the views of rows 0, 2, 4, ... and 1, 3, 5, ...
func (w *Weights) EveryOtherRow() (even, odd Weights) {
	pick := func(first int) Weights {
		s := *w
		s.Rows = (w.Rows - first + 1) / 2
		s.Data, s.Stride = w.Data[first*w.Stride:], 2*w.Stride
		if w.Scale8 != nil {
			s.Scale8, s.ScaleStride = w.Scale8[first*w.ScaleStride:], 2*w.ScaleStride
		}
		return s
	}
	return pick(0), pick(1)
}

var (
	f32Even  = &Format{Name: "f32 (even)", Block: 1, Bytes: 8, Load: strided(loadF32, 4, 0)}
	f32Odd   = &Format{Name: "f32 (odd)", Block: 1, Bytes: 8, Load: strided(loadF32, 4, 1)}
	f16Even  = &Format{Name: "f16 (even)", Block: 1, Bytes: 4, Load: strided(loadF16, 2, 0)}
	f16Odd   = &Format{Name: "f16 (odd)", Block: 1, Bytes: 4, Load: strided(loadF16, 2, 1)}
	bf16Even = &Format{Name: "bf16 (even)", Block: 1, Bytes: 4, Load: strided(loadBF16, 2, 0)}
	bf16Odd  = &Format{Name: "bf16 (odd)", Block: 1, Bytes: 4, Load: strided(loadBF16, 2, 1)}
)

// strided reads value i at 2*i+which.
func strided(load func([]float32, []byte), size, which int) func([]float32, []byte) {
	return func(dst []float32, src []byte) {
		for i := range dst {
			load(dst[i:i+1], src[(2*i+which)*size:])
		}
	}
}

// EveryOtherColumn returns the views of columns 0, 2, 4, ... and 1, 3, 5, ... of
// float weights; ok is false for other formats.
func (w *Weights) EveryOtherColumn() (even, odd Weights, ok bool) {
	even, odd = *w, *w
	even.K, odd.K = w.K/2, w.K/2
	switch w.Format {
	case F32:
		even.Format, odd.Format = f32Even, f32Odd
	case F16:
		even.Format, odd.Format = f16Even, f16Odd
	case BF16:
		even.Format, odd.Format = bf16Even, bf16Odd
	default:
		return even, odd, false
	}
	return even, odd, w.K%2 == 0
}
