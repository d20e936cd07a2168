package quant

import (
	"fmt"
	"math"
)

// Quantize sets dst to the blocks of type t that come nearest to src, whole rows
// of values. importance, if not nil, has a weight for each column, not negative:
// the mean square of the activations that the column is multiplied with. Then
// src is a whole number of rows of that length. QuantizeFor knows more of them.
//
// F32, F16 and BF16 are converted, rounding to nearest even. Other types take
// values up to 65504, NVFP4 up to 2688, and report NaN, infinities and larger
// ones as ErrValue.
// Types that are only decoded are reported as ErrCodec. Equal arguments give
// equal blocks on every machine.
func Quantize(dst []byte, t Type, src []float32, importance []float32) error {
	return QuantizeFor(dst, t, src, Columns{Square: importance})
}

// QuantizeFor is Quantize with what is known of the activations.
func QuantizeFor(dst []byte, t Type, src []float32, c Columns) error {
	importance := c.Square
	f, err := checkLengths(t, len(src), len(dst))
	if err != nil {
		return err
	}
	if f.quantize == nil {
		return store(dst, t, src)
	}
	block, size := f.block()
	cols := len(importance)
	if importance != nil && (cols == 0 || cols%block != 0 || len(src)%cols != 0) {
		return fmt.Errorf("%w: %d values of %v in rows of %d, the length of the importance", ErrLength, len(src), t, cols)
	}
	largest := float32(65504)
	if t == NVFP4 {
		largest = 448 * 6
	}
	for i, v := range src {
		if !(abs(v) <= largest) {
			return fmt.Errorf("%w: %g at %d does not fit %v", ErrValue, v, i, t)
		}
	}
	norm, err := normalize(importance)
	if err != nil {
		return err
	}
	shift, err := newMeanShift(t, f, c, norm)
	if err != nil {
		return err
	}
	var w [256]float32
	for i := 0; i < len(src); i += block {
		x := src[i : i+block]
		if importance == nil {
			weights(w[:block], x, nil, 0)
		} else {
			weights(w[:block], x, importance[i%cols:], norm)
		}
		if shift == nil {
			f.quantize(dst[i/block*size:], x, w[:block])
		} else {
			shift.quantize(dst[i/block*size:][:size], x, w[:block], i%cols)
		}
	}
	return nil
}

// normalize returns what importance is multiplied by to have a mean of 1, and
// an error if a weight is negative or not finite.
func normalize(importance []float32) (float64, error) {
	var sum float64
	for i, v := range importance {
		if !(v >= 0) || math.IsInf(float64(v), 0) {
			return 0, fmt.Errorf("%w: importance %g of column %d", ErrValue, v, i)
		}
		sum += float64(v)
	}
	if sum == 0 {
		return 0, nil
	}
	return float64(len(importance)) / sum, nil
}

// even is the part of a column's weight that does not depend on its importance.
// Deviations of activations are correlated, which squares alone exaggerate: on a
// trained model a half gives a smaller divergence of its predictions than none, for
// q2_K by 3 %, and text that the importance was not measured on may need it.
const even = 0.5

// weights sets w to the weight of each value's squared error.
func weights(w, x, importance []float32, norm float64) {
	for i := range w {
		w[i] = 1
	}
	if norm == 0 {
		return
	}
	for i := range w {
		w[i] = float32((1-even)*float64(importance[i])*norm + even)
	}
}

func store(dst []byte, t Type, src []float32) error {
	switch t {
	case F32:
		for i, v := range src {
			le.PutUint32(dst[4*i:], math.Float32bits(v))
		}
	case F16:
		for i, v := range src {
			h := F32ToF16(v)
			if h&0x7fff == 0x7c00 && !math.IsInf(float64(v), 0) {
				return fmt.Errorf("%w: %g at %d does not fit %v", ErrValue, v, i, t)
			}
			le.PutUint16(dst[2*i:], h)
		}
	case BF16:
		for i, v := range src {
			le.PutUint16(dst[2*i:], F32ToBF16(v))
		}
	default:
		return fmt.Errorf("%w: to %v", ErrCodec, t)
	}
	return nil
}
