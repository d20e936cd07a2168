package kernels

import (
	"math"
	"slices"
	"testing"

	"github.com/coterie-go/coterie/internal/testkit"
)

// floatWeights returns rows of a float format between guard pages: values of the
// trial's kind where the format holds them, any bits in the narrow ones.
func (c *trial) floatWeights(f *Format, rows, k, gap int) *Weights {
	w := &Weights{Format: f, Rows: rows, K: k, Stride: k*f.Bytes + gap}
	w.Data = c.bytes(max(0, (rows-1)*w.Stride+k*f.Bytes))
	if c.kind != testkit.Bits && f != F8E4M3 {
		row := make([]float32, k)
		for r := range rows {
			testkit.Fill(c.Rand, row, c.kind)
			for i, v := range row {
				p := w.Data[r*w.Stride+i*f.Bytes:]
				switch f {
				case F32:
					put32(p, math.Float32bits(v))
				case F16:
					put16(p, F32ToF16(v))
				case BF16:
					put16(p, F32ToBF16(v))
				}
			}
		}
	}
	if f == F8E4M3 {
		if c.kind == testkit.Normal { // without NaN, the common case
			for i, b := range w.Data {
				if b&127 == 127 {
					w.Data[i] = b - 1
				}
			}
		}
		w.Row0 = c.IntN(300)
		w.ScaleStride = (k+127)/128 + gap
		w.Scale32 = c.floats(((w.Row0+rows-1)/128)*w.ScaleStride + (k+127)/128)
	}
	return w
}

func put16(p []byte, v uint16) { p[0], p[1] = byte(v), byte(v>>8) }
func put32(p []byte, v uint32) { put16(p, uint16(v)); put16(p[2:], uint16(v>>16)) }

var floatFormats = []*Format{F32, F16, BF16, F8E4M3}

var floatTwins = []twin{
	{"mulFloat", append(upTo(36), 128, 160, 272), func(c *trial) {
		var s, sp Scratch
		for _, f := range append(floatFormats, Q8_0) {
			if c.n%f.Block != 0 {
				continue
			}
			rows, n, gap := c.IntN(11), c.IntN(10), c.IntN(2)*4
			w := c.floatWeights(f, rows, c.n, gap)
			x := c.floats((n + 2) * c.n)
			cols := someColumns(c, n, n+2)
			ld := rows + c.IntN(3)
			got := guarded[float32](c, max(0, (n-1)*ld+rows))
			want := slices.Clone(got)
			mulFloat(want, ld, w, x, cols, n, &sp)
			c.t.mulFloat(got, ld, w, x, cols, n, &s)
			c.same(got, want, f.Name)
		}
	}},
	{"mulT", append(upTo(36), 64, 96, 112, 144), func(c *trial) {
		var s, sp Scratch
		for _, f := range append(floatFormats, Q8_0) {
			if c.n%f.Block != 0 {
				continue
			}
			rows, n, gap := c.IntN(11), c.IntN(10), c.IntN(2)*4
			w := c.floatWeights(f, rows, c.n, gap)
			ldx := rows + c.IntN(3)
			x := c.floats((n+1)*ldx + rows)
			cols := someColumns(c, n, n+2)
			ld := c.n + c.IntN(3)
			got := guarded[float32](c, max(0, (n-1)*ld+c.n))
			want := slices.Clone(got)
			mulT(want, ld, w, x, ldx, cols, n, &sp)
			c.t.mulT(got, ld, w, x, ldx, cols, n, &s)
			c.same(got, want, f.Name)
		}
	}},
}

// someColumns returns n column numbers below limit, or nil for the first n.
func someColumns(c *trial, n, limit int) []int32 {
	if c.IntN(2) == 0 {
		return nil
	}
	cols := make([]int32, n)
	for i := range cols {
		cols[i] = int32(c.IntN(limit))
	}
	return cols
}

func FuzzMulFloat(f *testing.F) { fuzz(f, "mulFloat") }
func FuzzMulT(f *testing.F)     { fuzz(f, "mulT") }

// TestConversions compares rows of all values of the narrow formats.
func TestConversions(t *testing.T) {
	for _, f := range []*Format{F16, BF16} {
		data := make([]byte, 2<<16)
		for i := range 1 << 16 {
			put16(data[2*i:], uint16(i))
		}
		w := &Weights{Format: f, Rows: 1, K: 1 << 16, Data: data, Stride: len(data)}
		want := make([]float32, w.K)
		w.Row(want, 0)
		for _, tab := range available()[1:] {
			one, got := []float32{1}, make([]float32, w.K)
			var s Scratch
			tab.mulT(got, w.K, w, one, 1, nil, 1, &s)
			for i, v := range want {
				want[i] = FMA(v, 1, 0)
			}
			testkit.SameBits(t, got, want, "%s %s", tab.name, f.Name)
		}
	}
}
