//go:build !purego

package kernels

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/coterie-go/coterie/internal/testkit"
)

// eachTable runs f for every table of this CPU but the portable one.
func eachTable(t *testing.T, f func(t *testing.T, isa *table)) {
	for _, isa := range available()[1:] {
		t.Run(isa.name, func(t *testing.T) { f(t, isa) })
	}
}

func TestNEONVectors(t *testing.T) {
	eachTable(t, func(t *testing.T, isa *table) {
		r := rand.New(rand.NewPCG(1, 2))
		for n := range 100 {
			for _, kind := range testkit.Kinds() {
				off := r.IntN(5)
				a, b := testkit.Before[float32](t, n, off), testkit.After[float32](t, n, off)
				got, want := testkit.Before[float32](t, n, r.IntN(5)), make([]float32, n)
				testkit.Fill(r, a, kind)
				testkit.Fill(r, b, kind)
				alpha := a0(a)
				fill := func() { testkit.Fill(r, got, kind); copy(want, got) }
				check := func(what string) { t.Helper(); testkit.SameBits(t, got, want, "%s, n=%d, %v", what, n, kind) }

				testkit.SameBits(t, []float32{isa.dot(a, b)}, []float32{dot(a, b)}, "dot, n=%d, %v", n, kind)
				fill()
				isa.axpy(got, alpha, a)
				axpy(want, alpha, a)
				check("axpy")
				fill()
				isa.add(got, b)
				add(want, b)
				check("add")
				isa.rmsNorm(got, a, nil, 1e-5)
				rmsNorm(want, a, nil, 1e-5)
				check("rmsNorm")
				isa.rmsNorm(got, a, b, 1e-5)
				rmsNorm(want, a, b, 1e-5)
				check("rmsNorm weighted")
				isa.swiGLU(got, a, b)
				swiGLU(want, a, b)
				check("swiGLU")
				isa.swiGLUClamped(got, a, b, 1.702, 7)
				swiGLUClamped(want, a, b, 1.702, 7)
				check("swiGLUClamped")
				if n == 0 {
					continue
				}
				isa.softmax(got, a)
				softmax(want, a)
				check("softmax")
				copy(got, a)
				isa.softmax(got, got)
				check("softmax in place")
				testkit.SameBits(t, []float32{maximumNEON(a)}, []float32{maximum(a)}, "maximum, n=%d, %v", n, kind)
			}
		}
	})
}

func a0(a []float32) float32 {
	if len(a) == 0 {
		return 1
	}
	return a[0]
}

func TestNEONQuantize(t *testing.T) {
	eachTable(t, func(t *testing.T, isa *table) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, block := range []int{32, 256} {
			for n := range 5 {
				for _, kind := range testkit.Kinds() {
					for range 20 {
						k, off := n*block, r.IntN(4)
						x := testkit.Before[float32](t, k, off)
						testkit.Fill(r, x, kind)
						got := &Q8{block, testkit.Before[int8](t, k, off), testkit.Before[float32](t, n, off), testkit.Before[int16](t, k/16, off)}
						want := NewQ8(block, 1, k)
						isa.quantize(got.Q, got.D, got.Sums, x, block)
						quantize(want.Q, want.D, want.Sums, x, block)
						testkit.SameBits(t, got.D, want.D, "scales")
						if !reflect.DeepEqual(got.Q, want.Q) || !reflect.DeepEqual(got.Sums, want.Sums) {
							t.Fatalf("block %d, n=%d, %v: codes or sums differ\n%v\n%v\n%v", block, n, kind, got.Q, want.Q, x)
						}
					}
				}
			}
		}
	})
}

// matrix returns rows of random weights of a float format at the end of a page.
func matrix(t *testing.T, r *rand.Rand, f *Format, rows, k int, kind testkit.Kind) *Weights {
	data := testkit.Before[byte](t, rows*k*f.Bytes, 0)
	v := make([]float32, rows*k)
	testkit.Fill(r, v, kind)
	for i, v := range v {
		switch p := data[i*f.Bytes:]; f {
		case F32:
			binary.LittleEndian.PutUint32(p, math.Float32bits(v))
		case F16:
			binary.LittleEndian.PutUint16(p, F32ToF16(v))
		case BF16:
			binary.LittleEndian.PutUint16(p, F32ToBF16(v))
		}
	}
	return &Weights{Format: f, Rows: rows, K: k, Data: data, Stride: k * f.Bytes}
}

func TestNEONMulFloat(t *testing.T) {
	eachTable(t, func(t *testing.T, isa *table) {
		r := rand.New(rand.NewPCG(1, 2))
		var s, s2 Scratch
		for _, f := range []*Format{F32, F16, BF16} {
			for k := range 70 {
				rows, n := r.IntN(10)+1, r.IntN(8)+1
				for _, kind := range testkit.Kinds() {
					w := matrix(t, r, f, rows, k, kind)
					x := testkit.Before[float32](t, n*k, 0)
					testkit.Fill(r, x, kind)
					var cols []int32
					if r.IntN(2) == 0 {
						cols = make([]int32, n)
						for j := range cols {
							cols[j] = r.Int32N(int32(n))
						}
					}
					got, want := testkit.Before[float32](t, n*rows, 0), make([]float32, n*rows)
					isa.mulFloat(got, rows, w, x, cols, n, &s)
					mulFloat(want, rows, w, x, cols, n, &s2)
					testkit.SameBits(t, got, want, "%s, (%d, %d) by %d, %v", f.Name, rows, k, n, kind)
				}
			}
		}
	})
}

func TestNEONAttend(t *testing.T) {
	eachTable(t, func(t *testing.T, isa *table) {
		r := rand.New(rand.NewPCG(1, 2))
		var s, s2 Scratch
		for trial := range 300 {
			f := []*Format{F32, F16, BF16}[trial%3]
			kinds := testkit.Kinds()
			kind := kinds[trial/3%len(kinds)]
			dk, dv, n := 1+r.IntN(70), 1+r.IntN(70), r.IntN(30)
			k, v := matrix(t, r, f, AttnBlock, dk, kind), matrix(t, r, f, AttnBlock, dv, kind)
			q := testkit.Before[float32](t, n*dk, 0)
			testkit.Fill(r, q, kind)
			lo, hi := make([]int32, n), make([]int32, n)
			for j := range lo {
				switch {
				case j > 0 && r.IntN(4) > 0:
					lo[j], hi[j] = lo[j-1], hi[j-1]
				case r.IntN(2) == 0:
					hi[j] = AttnBlock
				default:
					lo[j], hi[j] = r.Int32N(AttnBlock), r.Int32N(AttnBlock+1)
				}
			}
			var got, want Attn
			got.Reset(n, dv, nil)
			got.Acc = testkit.Before[float32](t, n*dv, 0)
			want.Reset(n, dv, nil)
			for range 2 {
				isa.attend(&got, q, dk, k, v, lo, hi, 0.125, &s)
				attend(&want, q, dk, k, v, lo, hi, 0.125, &s2)
			}
			testkit.SameBits(t, got.M, want.M, "M, trial %d", trial)
			testkit.SameBits(t, got.L, want.L, "L, trial %d", trial)
			testkit.SameBits(t, got.Acc, want.Acc, "Acc, trial %d", trial)
		}
	})
}
