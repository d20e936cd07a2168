package quant

import (
	"errors"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// budget is the root mean square error allowed on normal values, relative to
// their deviation. llama.cpp's quantisers without importance reach, on the same
// values, what theirs says (0: they were not measured).
var budget = map[Type]struct{ ours, theirs float64 }{
	Q8_0:   {0.00540, 0.00535},
	Q6_K:   {0.01690, 0.01775},
	Q5_K:   {0.03560, 0.03608},
	Q5_1:   {0.03390, 0.03782},
	Q5_0:   {0.04050, 0.04262},
	Q4_K:   {0.07110, 0.07120},
	Q4_1:   {0.07030, 0.07803},
	Q4_0:   {0.08170, 0.08582},
	IQ4_NL: {0.07410, 0.07607},
	IQ4_XS: {0.07480, 0.07667},
	NVFP4:  {0.09280, 0},
	MXFP4:  {0.11300, 0},
	Q3_K:   {0.14500, 0.15071},
	Q2_K:   {0.26700, 0.29582},
	TQ2_0:  {0.43900, 0.80686},
	TQ1_0:  {0.43900, 0.80686},
}

func TestBudget(t *testing.T) {
	x := gaussian(256*512, 1)
	for _, typ := range quantizable() {
		b, ok := budget[typ]
		if !ok {
			t.Errorf("%v has no budget", typ)
			continue
		}
		got := relative(x, through(t, typ, x, nil), nil)
		if got > b.ours {
			t.Errorf("%v: relative error %.5f, budget %.5f", typ, got, b.ours)
		}
		if b.theirs != 0 && b.ours > b.theirs*1.01 {
			t.Errorf("%v: budget %.5f is worse than what llama.cpp reaches, %.5f", typ, b.ours, b.theirs)
		}
		t.Logf("%-7v %.5f", typ, got)
	}
}

// TestImportance: the error counted by importance falls when the quantiser is
// told, for every type at or under 5 bits by at least 4 %, though half of the
// weights is even.
func TestImportance(t *testing.T) {
	const cols = 512
	x := gaussian(cols*64, 2)
	r := rand.New(rand.NewPCG(3, 0))
	importance := make([]float32, cols)
	for i := range importance {
		importance[i] = float32(math.Exp(r.NormFloat64()))
	}
	for _, typ := range quantizable() {
		blind := relative(x, through(t, typ, x, nil), importance)
		told := relative(x, through(t, typ, x, importance), importance)
		limit := blind * 0.96
		switch typ {
		case Q8_0, TQ1_0, TQ2_0, MXFP4: // the scale is all there is to choose, coarse or fine
			limit = blind * 1.0001
		}
		if told > limit {
			t.Errorf("%v: error %.5f without importance, %.5f with", typ, blind, told)
		}
	}
}

// TestUnseen: a row of columns whose importance is zero, as an expert has that
// saw no token, is quantised as if there were none.
func TestUnseen(t *testing.T) {
	x := gaussian(512, 4)
	for _, typ := range quantizable() {
		a, b := make([]byte, typ.RowBytes(512)), make([]byte, typ.RowBytes(512))
		must(t, Quantize(a, typ, x, nil))
		must(t, Quantize(b, typ, x, make([]float32, 512)))
		if !slices.Equal(a, b) {
			t.Errorf("%v: zero importance changes blocks", typ)
		}
		half := make([]float32, 512)
		for i := range 256 { // all of some blocks unseen, others not
			half[i] = 1
		}
		if e := relative(x, through(t, typ, x, half), nil); e > 1.2*budget[typ].ours {
			t.Errorf("%v: error %.5f where half was unseen", typ, e)
		}
	}
}

// TestFixedPoint: values that blocks can express come back as they are.
func TestFixedPoint(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 0))
	for _, typ := range []Type{Q4_0, Q5_0, Q8_0, IQ4_NL, MXFP4, NVFP4, TQ1_0, TQ2_0} {
		block := typ.BlockLen()
		for range 50 {
			src := make([]byte, typ.BlockBytes())
			x := make([]float32, block)
			for { // blocks that use their range, with a scale in the normal range
				for i := range src {
					src[i] = byte(r.Uint32())
				}
				for _, off := range formats[typ].halves {
					le.PutUint16(src[off:], F32ToF16(float32(0.01+0.1*r.Float64())))
				}
				switch typ {
				case MXFP4:
					src[0] = 120
				case NVFP4:
					src[0], src[1], src[2], src[3] = 40, 41, 50, 55
					src[4], src[12], src[20], src[28] = 7, 7, 15, 15
				case Q8_0: // the range is symmetric
					src[2], src[3] = 127, 256-127
					for i := range src {
						if i > 3 && src[i] == 128 {
							src[i] = 0
						}
					}
				case Q4_0:
					src[2] = 0xf0
				case Q5_0:
					src[2], src[6] = 0, 0
				case IQ4_NL:
					src[2] = 0xf0
				case TQ2_0: // there is no digit 3
					for i := range src[:64] {
						src[i] &^= src[i] >> 1 & 0x55
					}
				}
				if Check(typ, src) == nil {
					break
				}
			}
			must(t, Dequantize(x, typ, src))
			if e := relative(x, through(t, typ, x, nil), nil); e > 2e-3 {
				t.Errorf("%v: relative error %g of values of a block", typ, e)
				break
			}
		}
	}
}

// TestEdges: values at the edges of what float16 scales can say.
func TestEdges(t *testing.T) {
	cases := map[string]func(i int) float32{
		"zeros":     func(int) float32 { return 0 },
		"constant":  func(int) float32 { return 0.3 },
		"negative":  func(int) float32 { return -0.3 },
		"positive":  func(i int) float32 { return 1 + float32(i%7) },
		"outlier":   func(i int) float32 { return map[bool]float32{true: 100, false: 0.01}[i == 17] },
		"largest":   func(i int) float32 { return 65504 * float32(i%3-1) },
		"tiny":      func(i int) float32 { return 1e-30 * float32(i%5-2) },
		"subnormal": func(i int) float32 { return 1e-7 * float32(i%5-2) },
		"least":     func(i int) float32 { return math.SmallestNonzeroFloat32 * float32(i%2) },
	}
	for name, f := range cases {
		x := make([]float32, 512)
		for i := range x {
			x[i] = f(i)
		}
		for _, typ := range quantizable() {
			if typ == NVFP4 && name == "largest" {
				continue // an error, see TestQuantizeErrors
			}
			checkBound(t, typ, x, name)
		}
	}
}

// worst is the largest error of a value relative to the largest magnitude of its
// block, with room: half the coarsest step plus what limiting the range may cost.
var worst = map[Type]float32{
	Q8_0: 0.005, Q6_K: 0.06, Q5_K: 0.12, Q5_1: 0.12, Q5_0: 0.16, Q4_K: 0.22, Q4_1: 0.22, Q4_0: 0.3, IQ4_NL: 0.3, IQ4_XS: 0.35,
	NVFP4: 0.4, MXFP4: 0.4, Q3_K: 0.5, Q2_K: 0.8, TQ2_0: 1, TQ1_0: 1,
}

// checkBound quantises x and holds every value against worst. Scales have a step
// of 2^-24, or 2^-9 in nvfp4, which values that small disappear in.
func checkBound(t *testing.T, typ Type, x []float32, what string) {
	t.Helper()
	y := through(t, typ, x, nil)
	floor := float32(4e-6)
	if typ == NVFP4 {
		floor = 0x1p-8
	}
	if typ.Form() == Super256 {
		floor *= 64
	}
	n := typ.BlockLen()
	for b := 0; b < len(x); b += n {
		amax := abs(extreme(x[b : b+n]))
		for i, v := range x[b : b+n] {
			if e := abs(v - y[b+i]); !(e <= worst[typ]*amax+floor) {
				t.Errorf("%v, %s: %g became %g in a block up to %g", typ, what, v, y[b+i], amax)
				return
			}
		}
	}
}

// TestSameBlocks pins the blocks of all types for given values: they do not
// depend on the machine. A change of a quantiser changes its line here.
func TestSameBlocks(t *testing.T) {
	x := make([]float32, 4096)
	s := uint64(1)
	for i := range x { // sums of uniform numbers; no function of a math library
		var v int64
		for range 4 {
			s = s*6364136223846793005 + 1442695040888963407
			v += int64(s>>40) - 1<<23
		}
		x[i] = float32(v) * 0x1p-30
	}
	importance := make([]float32, 512)
	for i := range importance {
		importance[i] = 0.25 + float32(i*37%64)*0.125
	}
	got := map[Type]uint64{}
	for _, typ := range quantizable() {
		h := fnv.New64a()
		dst := make([]byte, typ.RowBytes(len(x)))
		must(t, Quantize(dst, typ, x, nil))
		h.Write(dst)
		must(t, Quantize(dst, typ, x, importance))
		h.Write(dst)
		got[typ] = h.Sum64()
		if got[typ] != sameBlocks[typ] {
			t.Errorf("%v: %#x,", typ, got[typ])
		}
	}
}

func TestQuantizeErrors(t *testing.T) {
	x, dst := make([]float32, 512), make([]byte, Q4_K.RowBytes(512))
	ones := func(n int) []float32 { return slices.Repeat([]float32{1}, n) }
	bad := func(v float32) []float32 { y := slices.Clone(x); y[300] = v; return y }
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		what       string
		dst        []byte
		typ        Type
		src        []float32
		importance []float32
		want       error
	}{
		{"fits", dst, Q4_K, x, ones(512), nil},
		{"rows of 256", dst, Q4_K, x, ones(256), nil},
		{"short dst", dst[1:], Q4_K, x, nil, ErrLength},
		{"long dst", append(dst[:len(dst):len(dst)], 0), Q4_K, x, nil, ErrLength},
		{"part of a block", dst, Q4_K, x[:500], nil, ErrLength},
		{"importance of other rows", dst, Q4_K, x, ones(384), ErrLength},
		{"importance of part of a block", dst, Q4_K, x, ones(128), ErrLength},
		{"empty importance", dst, Q4_K, x, ones(0), ErrLength},
		{"NaN", dst, Q4_K, bad(nan), nil, ErrValue},
		{"infinity", dst, Q4_K, bad(inf), nil, ErrValue},
		{"too large", dst, Q4_K, bad(1e5), nil, ErrValue},
		{"too large for F16", make([]byte, 1024), F16, bad(1e5), nil, ErrValue},
		{"too large for NVFP4", make([]byte, NVFP4.RowBytes(512)), NVFP4, bad(2689), nil, ErrValue},
		{"infinity in F16", make([]byte, 1024), F16, bad(inf), nil, nil},
		{"negative importance", dst, Q4_K, x, append(ones(511), -1), ErrValue},
		{"NaN importance", dst, Q4_K, x, append(ones(511), nan), ErrValue},
		{"decoded only", make([]byte, 100), IQ1_S, x, nil, ErrCodec},
		{"no weights", make([]byte, 512), I8, x, nil, ErrCodec},
		{"removed", dst, 4, x, nil, ErrType},
		{"unknown", dst, 77, x, nil, ErrType},
	} {
		if err := Quantize(c.dst, c.typ, c.src, c.importance); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
}

// TestFloats: the plain types convert and round to nearest even.
func TestFloats(t *testing.T) {
	x := []float32{0, 1, -2.5, 65504, 1 + 0x1p-11, 1 + 3*0x1p-11, 0x1p-24, 0x1p-25, 0x1.8p-25, 1 + 0x1p-8, 1 + 3*0x1p-8, float32(math.Inf(-1))}
	for typ, want := range map[Type][]float32{
		F32:  x,
		F16:  {0, 1, -2.5, 65504, 1, 1 + 0x1p-9, 0x1p-24, 0, 0x1p-24, 1 + 0x1p-8, 1 + 3*0x1p-8, float32(math.Inf(-1))},
		BF16: {0, 1, -2.5, 65536, 1, 1, 0x1p-24, 0x1p-25, 0x1.8p-25, 1, 1 + 0x1p-6, float32(math.Inf(-1))},
	} {
		if got := through(t, typ, x, nil); !slices.Equal(got, want) {
			t.Errorf("%v: got %g, want %g", typ, got, want)
		}
	}
}

// through returns x quantised and decoded again; every block passes Check.
func through(t testing.TB, typ Type, x, importance []float32) []float32 {
	t.Helper()
	b := make([]byte, typ.RowBytes(len(x)))
	must(t, Quantize(b, typ, x, importance))
	must(t, Check(typ, b))
	y := make([]float32, len(x))
	must(t, Dequantize(y, typ, b))
	return y
}

// relative is the root mean square of x - y by that of x, weighted by column.
func relative(x, y, weight []float32) float64 {
	var e, n float64
	for i, v := range x {
		w := 1.0
		if weight != nil {
			w = float64(weight[i%len(weight)])
		}
		d := float64(v) - float64(y[i])
		e += w * d * d
		n += w * float64(v) * float64(v)
	}
	if n == 0 {
		return e
	}
	return math.Sqrt(e / n)
}

// gaussian returns n normal values of deviation 0.02, about what weights are.
func gaussian(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 0))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(0.02 * r.NormFloat64())
	}
	return x
}

// quantizable lists the block types that Quantize writes.
func quantizable() (types []Type) {
	for t, f := range formats {
		if f.quantize != nil {
			types = append(types, t)
		}
	}
	slices.Sort(types)
	return types
}

var sameBlocks = map[Type]uint64{
	Q4_0:   0x1f6a0cef25b5e552,
	Q4_1:   0x37fa66f7fe4dfae1,
	Q5_0:   0x83d6c1c17ddb6d8d,
	Q5_1:   0x7cebd17d88026add,
	Q8_0:   0x4048743c47648215,
	Q2_K:   0x60a5cdaf69299c8e,
	Q3_K:   0x59c82cba03d04f72,
	Q4_K:   0x3869c9097414a3e8,
	Q5_K:   0xf37af096fd518056,
	Q6_K:   0x38079ca3d3885576,
	IQ4_NL: 0xe18757f97f1e086b,
	IQ4_XS: 0x68e1c45d8ee59cd9,
	TQ1_0:  0x1bf3f04903c40112,
	TQ2_0:  0xade621a60a272c9c,
	MXFP4:  0xe707e4d880105fa5,
	NVFP4:  0x17ae002511106c13,
}

// TestMeans: told the means of its activations, a quantiser avoids blocks that shift
// the output: the expected square of the output's error falls.
func TestMeans(t *testing.T) {
	const cols = 512
	x := gaussian(cols*64, 6)
	r := rand.New(rand.NewPCG(7, 0))
	c := Columns{Square: make([]float32, cols), Mean: make([]float32, cols)}
	for i := range c.Mean {
		m := 0.7 * r.NormFloat64()
		c.Mean[i], c.Square[i] = float32(m), float32(m*m+0.5)
	}
	for _, typ := range quantizable() {
		// the expected squares of the outputs' errors
		measure := func(told Columns) (e float64) {
			b, y := make([]byte, typ.RowBytes(len(x))), make([]float32, len(x))
			must(t, QuantizeFor(b, typ, x, told))
			must(t, Dequantize(y, typ, b))
			for i := 0; i < len(x); i += cols {
				shift := 0.0
				for j := range cols {
					d := float64(y[i+j]) - float64(x[i+j])
					shift += d * float64(c.Mean[j])
					e += 0.5 * d * d
				}
				e += shift * shift
			}
			return e
		}
		blind, told := measure(Columns{Square: c.Square}), measure(c)
		t.Logf("%-7v %.4f", typ, told/blind)
		limit := 0.65 // half of the error is shift
		switch typ {
		case Q8_0: // codes are too fine to matter
			limit = 1
		}
		if !(told <= limit*blind) {
			t.Errorf("%v: %.4f of the error without means, limit %.2f", typ, told/blind, limit)
		}
	}
}
