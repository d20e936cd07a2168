package kernels

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
)

// fingerprint is a hash over the bits of results, and the source of the inputs:
// numbers made by integer arithmetic alone, so that no compiler's rounding is in
// them.
type fingerprint struct {
	state uint64
	out   []byte
	nan   int // among the results
}

// uint64 is SplitMix64 (Steele, Lea and Flood, 2014).
func (f *fingerprint) uint64() uint64 {
	f.state += 0x9e3779b97f4a7c15
	z := f.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// intn returns a number below n.
func (f *fingerprint) intn(n int) int { return int(f.uint64() >> 33 % uint64(n)) }

// floats returns n values m * 2**e, m of 24 bits in -1..1, e in -8..2.
func (f *fingerprint) floats(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		u := f.uint64()
		x[i] = float32(int32(u)>>7) * pow2(int32(u>>32%11)-32)
	}
	return x
}

// columns returns n numbers of columns below limit, for even n those in order.
func (f *fingerprint) columns(n, limit int) []int32 {
	if n%2 == 0 {
		return nil
	}
	cols := make([]int32, n)
	for i := range cols {
		cols[i] = int32(f.intn(limit))
	}
	return cols
}

// weights returns random weights with finite scales of moderate size.
func (f *fingerprint) weights(format *Format, rows, k int) *Weights {
	w := &Weights{Format: format, Rows: rows, K: k}
	w.Stride = w.rowBytes()
	w.Data = make([]byte, rows*w.Stride)
	for i := range w.Data {
		w.Data[i] = byte(f.uint64())
	}
	if format.SmallBeside != nil {
		w.ScaleStride = k / 32
		w.Scale8 = make([]byte, rows*w.ScaleStride)
		for i := range w.Scale8 {
			w.Scale8[i] = byte(120 + f.intn(8))
		}
	}
	if format.LoadScaled != nil {
		w.ScaleStride = (k + 127) / 128
		w.Scale32 = f.floats((rows + 127) / 128 * w.ScaleStride)
	}
	for i := 0; i < len(w.Data); i += format.Bytes {
		for block := w.Data[i:][:format.Bytes]; !moderate(format, block); {
			for j := range block {
				block[j] = byte(f.uint64())
			}
		}
	}
	return w
}

// moderate reports whether a block's numbers are finite and its scales at most 16.
func moderate(f *Format, block []byte) bool {
	var scales []float32
	switch {
	case f.Load != nil:
		var v [1]float32
		f.Load(v[:], block)
		return math.Abs(float64(v[0])) < 1e5
	case f.LoadScaled != nil:
		return block[0]&127 != 127
	case f.Super != nil:
		var b Super
		f.Super(&b, block)
		scales = []float32{b.D, b.DMin}
	case f.Pair != nil:
		var b [2]Small
		f.Pair(&b, block)
		scales = append(b[0].D[:], b[1].D[:]...)
	case f.Small != nil:
		var b Small
		f.Small(&b, block)
		scales = append(b.D[:], b.M)
	}
	for _, d := range scales {
		if !(math.Abs(float64(d)) <= 16) {
			return false
		}
	}
	return true
}

// add hashes results, every NaN as one.
func (f *fingerprint) add(x ...float32) {
	for _, v := range x {
		b := math.Float32bits(v)
		if v != v {
			b = 0x7fc00000
			f.nan++
		}
		f.out = binary.LittleEndian.AppendUint32(f.out, b)
	}
}

func (f *fingerprint) String() string { return fmt.Sprintf("%x", sha256.Sum256(f.out))[:16] }

// fingerprints are operations on fixed input and the hash of what they give: on
// every CPU, with every table.
var fingerprints = []struct {
	name, want string
	run        func(f *fingerprint)
}{
	{"Exp", "42cb0480b37bb0fa", func(f *fingerprint) {
		for i := range 1 << 16 { // every 65536th float32
			f.add(Exp(math.Float32frombits(uint32(i)<<16 + 1)))
		}
	}},
	{"FMA", "b71929af474007ae", func(f *fingerprint) {
		for range 1 << 14 {
			u, v := f.uint64(), f.uint64()
			f.add(FMA(math.Float32frombits(uint32(u)), math.Float32frombits(uint32(u>>32)), math.Float32frombits(uint32(v))))
		}
		for range 1 << 14 { // sums that nearly cancel or nearly lie between two values
			x := f.floats(2)
			f.add(FMA(x[0], x[1], float32(-x[0]*x[1])), FMA(x[0], x[1], float32(x[0]*0x1p-20)))
		}
	}},
	{"Dot", "4e2e5ee0d37a8de8", func(f *fingerprint) {
		for n := range 200 {
			f.add(Dot(f.floats(n), f.floats(n)))
		}
	}},
	{"vectors", "96cb5c8eb831d69f", func(f *fingerprint) {
		for n := range 200 {
			x, y, z, w := f.floats(n), f.floats(n), f.floats(n), f.floats(n)
			Axpy(x, 0.7, y)
			f.add(x...)
			Add(x, y)
			f.add(x...)
			if n == 0 {
				continue
			}
			RMSNorm(x, y, w, 1e-5)
			f.add(x...)
			RMSNorm(y, y, nil, 1e-5)
			f.add(y...)
			LayerNorm(x, y, z, w, 1e-5)
			f.add(x...)
		}
	}},
	{"activations", "0dd2148db66741d5", func(f *fingerprint) {
		for n := range 200 {
			x, y, z := f.floats(n), f.floats(n), f.floats(n)
			for i := range x {
				y[i] *= 4
			}
			SwiGLU(x, y, z)
			f.add(x...)
			SwiGLUClamped(x, y, z, 1.702, 7)
			f.add(x...)
			Softmax(x, y)
			f.add(x...)
		}
	}},
	{"rotary", "3f9cf62ca507159f", func(f *fingerprint) {
		for n := range 100 {
			x, cos, sin := f.floats(2*n), f.floats(n), f.floats(n)
			RotateHalf(x, cos, sin)
			f.add(x...)
			RotatePairs(x, cos, sin)
			f.add(x...)
		}
	}},
	{"Quantize", "003e566950a155de", func(f *fingerprint) {
		for _, block := range []int{32, 256} {
			q := NewQ8(block, 3, 2048)
			for r := range 3 {
				q.Quantize(r, f.floats(2048))
			}
			f.q8(q)
		}
	}},
	{"Mul", "c4ee5668e7746358", func(f *fingerprint) {
		for _, format := range fingerprintFormats {
			for i, n := range []int{1, 2, 5, 16} {
				rows, k := 11+i, 512
				w := f.weights(format, rows, k)
				x := &Acts{K: k, F32: f.floats(n * k), Q32: NewQ8(32, n, k), Q256: NewQ8(256, n, k)}
				for r := range n {
					x.Q32.Quantize(r, x.F32[r*k:][:k])
					x.Q256.Quantize(r, x.F32[r*k:][:k])
				}
				dst := make([]float32, n*rows)
				var s Scratch
				Mul(dst, rows, w, x, f.columns(n, n), n, &s)
				f.add(dst...)
				x.Q32, x.Q256 = nil, nil
				Mul(dst, rows, w, x, f.columns(n, n), n, &s)
				f.add(dst...)
			}
		}
	}},
	{"MulT", "048fe1ae75ffb3e3", func(f *fingerprint) {
		for _, format := range fingerprintFormats {
			rows, n, k := 37, 1+f.intn(6), 512
			w := f.weights(format, rows, k)
			x, dst := f.floats(n*rows), make([]float32, n*k)
			var s Scratch
			MulT(dst, k, w, x, rows, f.columns(n, n), n, &s)
			f.add(dst...)
		}
	}},
	{"Attend", "888eca0ccbd83858", func(f *fingerprint) {
		for i, format := range []*Format{F32, F16, BF16} {
			n, dk, dv := 13, 32+16*i, 80-16*i
			var a Attn
			a.Reset(n, dv, f.floats(n))
			lo, hi := make([]int32, n), make([]int32, n)
			var s Scratch
			for range 3 {
				k, v, q := f.weights(format, AttnBlock, dk), f.weights(format, AttnBlock, dv), f.floats(n*dk)
				for j := range n {
					lo[j], hi[j] = 0, AttnBlock
					if j > 6 {
						lo[j], hi[j] = int32(f.intn(40)), int32(f.intn(AttnBlock+1))
					}
				}
				a.Attend(q, dk, k, v, lo, hi, 0.125, &s)
			}
			out := make([]float32, dv)
			for j := range n {
				a.Values(out, j)
				f.add(out...)
			}
			f.add(a.M...)
			f.add(a.L...)
		}
	}},
}

var fingerprintFormats = append([]*Format{F32, F16, BF16, F8E4M3}, integerFormats...)

func (f *fingerprint) q8(q *Q8) {
	f.add(q.D...)
	for _, v := range q.Q {
		f.out = append(f.out, byte(v))
	}
	for _, v := range q.Sums {
		f.out = binary.LittleEndian.AppendUint16(f.out, uint16(v))
	}
}

// TestFingerprints runs on every architecture: where portable code meets a
// compiler that fuses what it should not, or a table strays on some CPU, the
// hashes show it. A changed hash is a changed contract.
func TestFingerprints(t *testing.T) {
	for _, isa := range ISAs() {
		restore, err := UseISA(isa)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range fingerprints {
			f := fingerprint{state: 1}
			p.run(&f)
			if f.nan > len(f.out)/512 {
				t.Errorf("%s: %s: %d NaN say nothing", isa, p.name, f.nan)
			}
			if got := f.String(); got != p.want {
				t.Errorf("%s: %s: %s, want %s", isa, p.name, got, p.want)
			}
		}
		restore()
	}
}
