package kernels

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactFMA computes a*b+c without rounding and rounds once.
func exactFMA(a, b, c float32) float32 {
	p := float64(a) * float64(b)
	if math.IsInf(p, 0) || math.IsInf(float64(c), 0) || p != p || c != c {
		return float32(p + float64(c))
	}
	// From the highest bit of the greatest product to the lowest of the least:
	// 2**256 to 2**-298.
	x := new(big.Float).SetPrec(600).SetFloat64(p)
	x.Add(x, big.NewFloat(float64(c)))
	f, _ := x.Float32()
	return f
}

func checkFMA(t *testing.T, a, b, c float32) {
	t.Helper()
	got, want := FMA(a, b, c), exactFMA(a, b, c)
	if math.Float32bits(got) != math.Float32bits(want) && (got == got || want == want) {
		t.Fatalf("FMA(%x, %x, %x) = %x, want %x", a, b, c, got, want)
	}
}

var fmaEdges = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 1 + 0x1p-23, 1 - 0x1p-24, 0x1p-149, -0x1p-149, 0x1p-126, 0x1p-126 - 0x1p-149,
	math.MaxFloat32, -math.MaxFloat32, 0x1p64, 0x1p-75, 3 * 0x1p-75, 0x1p-24, 0x1p-25, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
}

func TestFMAEdges(t *testing.T) {
	for _, a := range fmaEdges {
		for _, b := range fmaEdges {
			for _, c := range fmaEdges {
				checkFMA(t, a, b, c)
			}
		}
	}
}

// TestFMAHalfway aims at sums halfway between two float32 and a little beside it,
// where rounding to float64 first goes wrong; results are normal or subnormal.
func TestFMAHalfway(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	slow := 0
	for range 300_000 {
		e := r.IntN(250) - 149 // exponent of the result's last bit
		if e > 100 {
			e = -149 // a third of them subnormal
		}
		m := float64(r.IntN(1<<24)) + 0.5 // the halfway point, in units of 2**e
		// a*b takes the place of the last bits, c the rest: m = ab + c.
		lost := math.Ldexp(float64(r.IntN(8)-4)+0.5, 0)
		a := float32(math.Ldexp(lost, 12))
		b := float32(math.Ldexp(1, e-12))
		c := float32(math.Ldexp(m-lost, e))
		if r.IntN(2) == 0 { // beside it, by less than a float64 of that size shows
			a = math.Nextafter32(a, float32(r.IntN(3)-1)*math.MaxFloat32)
		}
		if r.IntN(2) == 0 {
			a, c = -a, -c
		}
		if s := float64(a)*float64(b) + float64(c); math.Float64bits(s)&(1<<28-1) == 0 {
			slow++
		}
		checkFMA(t, a, b, c)
		// An error far below: the product is tiny against c, which lies halfway only
		// together with it.
		checkFMA(t, float32(math.Ldexp(1, e/2-30)), float32(math.Ldexp(float64(1+r.IntN(1<<23)), e-e/2-30)), c)
	}
	if slow < 1000 {
		t.Errorf("only %d cases took the slow way", slow)
	}
}

func FuzzFMA(f *testing.F) {
	f.Add(uint32(0x3f800001), uint32(0x3f7fffff), uint32(0xb4000000))
	f.Add(uint32(1), uint32(0x3f000000), uint32(0x80000001))
	f.Fuzz(func(t *testing.T, a, b, c uint32) {
		checkFMA(t, math.Float32frombits(a), math.Float32frombits(b), math.Float32frombits(c))
		// The same with an addend of the product's size.
		p := math.Float32frombits(a) * math.Float32frombits(b)
		checkFMA(t, math.Float32frombits(a), math.Float32frombits(b), math.Float32frombits(math.Float32bits(p)^c&0x80ffffff))
	})
}

func TestFMARandom(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300_000 {
		a, b := math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32())
		checkFMA(t, a, b, math.Float32frombits(r.Uint32()))
		checkFMA(t, a, b, -(a * b))
		checkFMA(t, a, b, math.Float32frombits(math.Float32bits(a*b)^r.Uint32()&0x83ffffff))
	}
}
