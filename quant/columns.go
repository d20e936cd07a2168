package quant

import (
	"fmt"
	"math"
)

// Columns says what a matrix's columns are multiplied with: the mean squares of
// the activations, and their means if these are known. Both have a value for each
// column, or are nil.
type Columns struct{ Square, Mean []float32 }

// A row's output errs by the sum of e*x over its columns, e the errors of the weights
// and x the activations. With uncorrelated deviations from the mean m the expected
// square is
//
//	sum v*e*e + (sum m*e)^2, v = E[x*x] - m*m
//
// The second term is a shift of the output that all tokens suffer alike, a seventh
// of the whole on a trained model whose blocks are fitted value by value. It costs
// next to nothing to avoid: a few values close to the middle between two codes go the
// other way. So a block is fitted again to values moved a little against the shift that
// the row has so far, and the fit with the least of the sum is kept.
type meanShift struct {
	t     Type
	f     *format
	mean  []float32 // of columns, scaled as the weights are
	carry float32   // the shift of the row's blocks before this one

	y, target, v [256]float32
	block        [256]byte
}

// shiftRounds is how often a block is fitted again.
const shiftRounds = 4

// newMeanShift returns nil if the means are unknown, or the type has codes so fine that
// shifts do not matter.
func newMeanShift(t Type, f *format, c Columns, norm float64) (*meanShift, error) {
	if c.Mean == nil || c.Square == nil || norm == 0 || f.fine {
		return nil, nil
	}
	if len(c.Mean) != len(c.Square) {
		return nil, fmt.Errorf("%w: means of %d columns, squares of %d", ErrLength, len(c.Mean), len(c.Square))
	}
	s := &meanShift{t: t, f: f, mean: make([]float32, len(c.Mean))}
	for i, m := range c.Mean {
		if m-m != 0 {
			return nil, fmt.Errorf("%w: mean %g of column %d", ErrValue, m, i)
		}
		limit := math.Sqrt(float64(c.Square[i])) // which rounded sums may exceed a little
		s.mean[i] = float32(min(max(float64(m), -limit), limit) * math.Sqrt(norm))
	}
	return s, nil
}

// quantize sets dst to the best block for x, which begins at column col.
func (s *meanShift) quantize(dst []byte, x, w []float32, col int) {
	if col == 0 {
		s.carry = 0
	}
	mean, y, target, v := s.mean[col:][:len(x)], s.y[:len(x)], s.target[:len(x)], s.v[:len(x)]
	copy(target, x)
	var mm float32 // of the direction m/w in which the targets move
	for i, m := range mean {
		mm += float32(m*m) / w[i]
		v[i] = max(w[i]-float32(m*m), 0)
	}
	block := s.block[:len(dst)]
	best, carry := float32(math.Inf(1)), s.carry
	for round := range shiftRounds + 1 {
		s.f.quantize(block, target, w)
		if err := Dequantize(y, s.t, block); err != nil {
			panic("quant: what was quantised cannot be read: " + err.Error()) // an invariant of ours
		}
		off, sum := s.carry, float32(0)
		for i, q := range y {
			e := q - x[i]
			off += float32(mean[i] * e)
			sum += float32(float32(v[i]*e) * e)
		}
		if sum += float32(off * off); sum < best {
			best, carry = sum, off
			copy(dst, block)
		}
		if round == shiftRounds || mm == 0 {
			break
		}
		move := off / mm
		for i, m := range mean {
			target[i] -= float32(move*m) / w[i]
		}
	}
	s.carry = carry
}
