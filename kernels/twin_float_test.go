package kernels

import (
	"fmt"
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

var rowTwins = []twin{
	{"row", []int{1, 2, 3, 256, 512}, func(c *trial) {
		for _, f := range slices.Concat(floatFormats, integerFormats) {
			k := c.n
			if f.Block > 1 {
				k = max(256, c.n/256*256)
			}
			w := &Weights{Format: f, Rows: 2, K: k, Stride: k / f.Block * f.Bytes}
			w.Data = c.bytes(2 * w.Stride)
			if f.SmallBeside != nil {
				w.Scale8, w.ScaleStride = c.bytes(2*k/32), k/32
			}
			if f.LoadScaled != nil {
				w.Scale32, w.ScaleStride = c.floats((k+127)/128), 0
			}
			want, one := make([]float32, k), []float32{0, 1}
			w.Row(want, 1)
			for i, v := range want { // as the product with (0, 1)
				first := make([]float32, k)
				w.Row(first, 0)
				want[i] = FMA(1, v, FMA(0, first[i], 0))
			}
			got := guarded[float32](c, k)
			var s Scratch
			c.t.mulT(got, k, w, one, 2, nil, 1, &s)
			c.same(got, want, f.Name)
		}
	}},
}

var attendTwins = []twin{
	{"totals", upTo(joinQueries), func(c *trial) {
		M, L, m, l := c.floats(c.n), c.floats(c.n), c.floats(c.n), c.floats(c.n)
		var seen [joinQueries]int32
		for j := range seen {
			seen[j] = int32(c.IntN(2))
		}
		wantM, wantL, wantC, wantB := slices.Clone(M), slices.Clone(L), slices.Clone(m), slices.Clone(l)
		totals(wantM, wantL, wantC, wantB, &seen)
		c.t.totals(M, L, m, l, &seen)
		c.same(M, wantM, "maxima")
		c.same(L, wantL, "sums")
		c.same(m, wantC, "factors of what was there")
		c.same(l, wantB, "factors of what is joined")
	}},
	{"attend", []int{16, 32, 48, 64, 80, 128, 20, 1}, func(c *trial) {
		var s, sp Scratch
		dk, dv := c.n, []int{16, 32, 48, 80, 64, 144}[c.IntN(6)]
		for _, f := range []*Format{F32, F16, BF16, Q8_0} {
			if dk%f.Block != 0 || dv%f.Block != 0 {
				continue
			}
			n := []int{1, 2, 3, 5, 8, 11, 12, 16, 25, 40, 67}[c.IntN(11)]
			ldq := dk + c.IntN(3)
			q := c.floats((n-1)*ldq + dk)
			lo, hi := guarded[int32](c, n), guarded[int32](c, n)
			var last int32
			from, to := int32(c.IntN(AttnBlock)), int32(c.IntN(AttnBlock+1))
			mode := c.IntN(4) // of masks: all, the same, a causal one, any
			for j := range n {
				lo[j], hi[j] = 0, AttnBlock
				switch mode {
				case 1:
					lo[j], hi[j] = from, to
				case 2:
					lo[j], hi[j] = max(0, int32(j)-to), min(AttnBlock, max(0, int32(j)-from/2+1))
				case 3:
					lo[j], hi[j] = int32(c.IntN(AttnBlock)), int32(c.IntN(AttnBlock+1))
				}
				if lo[j] < hi[j] {
					last = max(last, hi[j])
				}
			}
			// The rows end with the last key that is seen.
			k, v := c.floatWeights(f, int(last), dk, 4), c.floatWeights(f, int(last), dv, 8)
			var sink []float32
			if c.IntN(2) == 0 {
				sink = c.floats(n)
			}
			var got, want Attn
			got.Reset(n, dv, sink)
			want.Reset(n, dv, sink)
			got.M, got.L, got.Acc = testkit.Copy(c, got.M), testkit.Copy(c, got.L), testkit.Copy(c, got.Acc)
			for range 2 {
				attend(&want, q, ldq, k, v, lo, hi, 0.125, &sp)
				c.t.attend(&got, q, ldq, k, v, lo, hi, 0.125, &s)
				what := fmt.Sprintf("%s, %d queries, dv %d, mode %d", f.Name, n, dv, mode)
				c.same(got.M, want.M, what+": M")
				c.same(got.L, want.L, what+": L")
				c.same(got.Acc, want.Acc, what+": Acc")
			}
		}
	}},
}

func FuzzRow(f *testing.F)      { fuzz(f, "row") }
func FuzzTotals(f *testing.F)   { fuzz(f, "totals") }
func FuzzAttend(f *testing.F)   { fuzz(f, "attend") }
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
