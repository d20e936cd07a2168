package router

import (
	"hash/fnv"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// The table against square roots of 2 in 200 bits.
func TestSixteenths(t *testing.T) {
	root := big.NewFloat(2).SetPrec(200)
	for range 4 {
		root.Sqrt(root)
	}
	v := big.NewFloat(1).SetPrec(200)
	for i := range sixteenths {
		want, _ := v.Float64()
		if got := math.Float64frombits(sixteenths[i] + uint64(i)<<48); got != want {
			t.Errorf("2^(%d/16) is %v, want %v", i, got, want)
		}
		v.Mul(v, root)
	}
}

// ulps returns the distance of got from want in units of the last place of a float32 near want.
func ulps(got float32, want float64) float64 {
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

func TestExp(t *testing.T) {
	worst, at := 0.0, float32(0)
	for b := uint32(0); b < 0x42b20000; b += 997 { // to 89, of both signs
		for _, sign := range []uint32{0, 1 << 31} {
			x := math.Float32frombits(b | sign)
			want := math.Exp(float64(x))
			if want > math.MaxFloat32 {
				continue
			}
			if u := ulps(exp(x), want); u > worst {
				worst, at = u, x
			}
		}
	}
	if worst > 0.7 {
		t.Errorf("exp(%v) is %v ulp off", at, worst)
	}
	t.Logf("worst: %.3f ulp at %v", worst, at)

	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct{ x, want float32 }{
		{0, 1}, {1, math.E}, {89, inf}, {1e30, inf}, {math.MaxFloat32, inf}, {inf, inf}, {-1e30, 0}, {-105, 0}, {-inf, 0}, {-103, 1e-45},
	} {
		if got := exp(c.x); got != c.want {
			t.Errorf("exp(%v) = %v, want %v", c.x, got, c.want)
		}
	}
	if got := exp(nan); got == got {
		t.Errorf("exp(NaN) = %v", got)
	}
}

func TestSqrtSoftplus(t *testing.T) {
	worst, at := 0.0, float32(0)
	for b := uint32(0); b < 0x42b00000; b += 997 { // to 88
		for _, sign := range []uint32{0, 1 << 31} {
			z := math.Float32frombits(b | sign)
			want := math.Sqrt(max(float64(z), 0) + math.Log1p(math.Exp(-math.Abs(float64(z)))))
			if u := ulps(sqrtSoftplus(z), want); u > worst {
				worst, at = u, z
			}
		}
	}
	if worst > 2 {
		t.Errorf("sqrtSoftplus(%v) is %v ulp off", at, worst)
	}
	t.Logf("worst: %.3f ulp at %v", worst, at)
	inf := float32(math.Inf(1))
	for _, c := range []struct{ z, want float32 }{{inf, inf}, {-inf, 0}, {1e30, 1e15}, {-200, 0}} {
		if got := sqrtSoftplus(c.z); got != c.want {
			t.Errorf("sqrtSoftplus(%v) = %v, want %v", c.z, got, c.want)
		}
	}
}

// Routes have the same bits on every CPU: these sums were made on amd64 and hold on arm64 too.
func TestSameBitsEverywhere(t *testing.T) {
	want := map[Score]uint64{
		Softmax:        0xeaddbb54c6118adc,
		Sigmoid:        0x3be71cf1783d7b4f,
		SoftmaxTopK:    0x8b67df678aa17e2,
		SigmoidTopK:    0x77c887a0dca63d1b,
		SqrtSoftplus:   0xdc2ffff3b67960e0,
		SparseMixer:    0x597a5b8e9dc9328d,
		SigmoidSoftmax: 0x55ba06f2db01b1c3,
	}
	for score := range scores {
		spec := Spec{Experts: 32, TopK: 4, Score: score, Normalize: true, NormEps: 1e-20, Scale: 2.5, SparseEps: .01}
		rng := rand.New(rand.NewPCG(1, uint64(score)))
		var bias []float32
		if score != SparseMixer {
			spec.Groups, spec.TopGroups, spec.GroupScore, spec.MaskToZero = 4, 2, GroupTop2Sum, true
			bias = make([]float32, 32)
			uniform(rng, bias, .1)
		}
		r, s := must(t, spec, bias), new(Scratch)
		ids, weights, logits := make([]int32, 4), make([]float32, 4), make([]float32, 32)
		sum := fnv.New64a()
		for range 2000 {
			uniform(rng, logits, 8)
			r.Route(ids, weights, logits, s)
			for i := range ids {
				b := math.Float32bits(weights[i])
				sum.Write([]byte{byte(ids[i]), byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)})
			}
		}
		if got := sum.Sum64(); got != want[score] {
			t.Errorf("%v: %#x, want %#x", score, got, want[score])
		}
	}
}
