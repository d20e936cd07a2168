package kernels

import (
	"hash/fnv"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// unpackers lists the block formats. Their values are held against the reference
// decoder's in package quant; here it is what files cannot show.
var unpackers = map[string]struct {
	bytes int
	super func(*Super, []byte)
	small func(*Small, []byte)
	min   bool
}{
	"q2_K":    {bytes: 84, super: UnpackQ2K, min: true},
	"q3_K":    {bytes: 110, super: UnpackQ3K},
	"q4_K":    {bytes: 144, super: UnpackQ4K, min: true},
	"q5_K":    {bytes: 176, super: UnpackQ5K, min: true},
	"q6_K":    {bytes: 210, super: UnpackQ6K},
	"iq1_s":   {bytes: 50, super: UnpackIQ1S},
	"iq1_m":   {bytes: 56, super: UnpackIQ1M},
	"iq2_xxs": {bytes: 66, super: UnpackIQ2XXS},
	"iq2_xs":  {bytes: 74, super: UnpackIQ2XS},
	"iq2_s":   {bytes: 82, super: UnpackIQ2S},
	"iq3_xxs": {bytes: 98, super: UnpackIQ3XXS},
	"iq3_s":   {bytes: 110, super: UnpackIQ3S},
	"iq4_xs":  {bytes: 136, super: UnpackIQ4XS},
	"tq1_0":   {bytes: 54, super: UnpackTQ1_0},
	"tq2_0":   {bytes: 66, super: UnpackTQ2_0},
	"q4_0":    {bytes: 18, small: UnpackQ4_0},
	"q4_1":    {bytes: 20, small: UnpackQ4_1, min: true},
	"q5_0":    {bytes: 22, small: UnpackQ5_0},
	"q5_1":    {bytes: 24, small: UnpackQ5_1, min: true},
	"q8_0":    {bytes: 34, small: UnpackQ8_0},
	"iq4_nl":  {bytes: 18, small: UnpackIQ4NL},
	"mxfp4":   {bytes: 17, small: UnpackMXFP4},
	"nvfp4 first half": {bytes: 36, small: func(b *Small, p []byte) {
		var d [2]Small
		UnpackNVFP4(&d, p)
		*b = d[0]
	}},
	"nvfp4 second half": {bytes: 36, small: func(b *Small, p []byte) {
		var d [2]Small
		UnpackNVFP4(&d, p)
		*b = d[1]
	}},
	"mxfp4 of hubs": {bytes: 17, small: func(b *Small, p []byte) { UnpackMXFP4Hub(b, p[:16], p[16]) }},
}

func garbage(r *rand.Rand, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

// TestUnpackOverwrites: what was in *b before does not matter, src is not
// written, nothing beyond the block is read, and the forms keep their limits.
func TestUnpackOverwrites(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	for name, u := range unpackers {
		for range 200 {
			src := garbage(r, u.bytes)
			was := slices.Clone(src)
			if u.super != nil {
				var a, b Super
				for i := range b.Q {
					b.Q[i] = int8(r.Uint32())
				}
				for i := range b.Scale {
					b.Scale[i], b.Min[i] = int16(r.Uint32()), int16(r.Uint32())
				}
				b.D, b.DMin = 3, 4
				u.super(&a, src)
				u.super(&b, append(src, garbage(r, 16)...)[:u.bytes])
				if a != b && a.D == a.D && a.DMin == a.DMin {
					t.Fatalf("%s: depends on what was there", name)
				}
				for i, s := range a.Scale {
					if s < -255 || s > 255 || a.Min[i] < 0 || a.Min[i] > 255 {
						t.Fatalf("%s: scale %d, minimum %d", name, s, a.Min[i])
					}
				}
				if !u.min && (a.DMin != 0 || a.Min != [16]int16{}) {
					t.Fatalf("%s: minima in a format without", name)
				}
			} else {
				a, b := Small{}, Small{D: [2]float32{1, 2}, M: 3}
				for i := range b.Q {
					b.Q[i] = int8(r.Uint32())
				}
				u.small(&a, src)
				u.small(&b, src)
				if a != b && a.D[0] == a.D[0] && a.D[1] == a.D[1] && a.M == a.M {
					t.Fatalf("%s: depends on what was there", name)
				}
				if !u.min && a.M != 0 {
					t.Fatalf("%s: offset %g in a format without", name, a.M)
				}
			}
			if !slices.Equal(src, was) {
				t.Fatalf("%s: writes its source", name)
			}
		}
	}
}

// TestUnpackBits compares the words of eight values with loops over values.
func TestUnpackBits(t *testing.T) {
	at := func(x uint64, i int) int8 { return int8(x >> (8 * i)) }
	r := rand.New(rand.NewPCG(2, 0))
	for v := range 256 {
		s := byte(v)
		x := r.Uint64() & (low4 | low4<<2) // 0..63
		y := x | ones                      // not 0
		for i := range 8 {
			bit := s >> i & 1
			if got := at(spread(s), i); got != int8(bit) {
				t.Fatalf("spread(%#x) has %d at %d", s, got, i)
			}
			want := at(y, i)
			if bit != 0 {
				want = -want
			}
			if got := at(negate(y, signs[s]), i); got != want {
				t.Fatalf("negate(%#x, %#x) has %d at %d", y, s, got, i)
			}
			for _, bias := range []byte{1, 4, 8, 16, 32} {
				if got, want := at(less(x, bias), i), at(x, i)-int8(bias); got != want {
					t.Fatalf("less(%#x, %d) has %d at %d", x, bias, got, i)
				}
			}
		}
		if even := evenSigns[v&127]; bits.OnesCount64(even)%16 != 0 || (even^signs[s])<<8 != 0 {
			t.Fatalf("evenSigns[%#x] = %#x", v&127, even)
		}
	}
	for neg := range uint64(2) {
		for i, v := range []int8{-8, 0, 8} {
			want := v + 1 - 2*int8(neg)
			word := uint64(uint8(v)) * ones
			if got := at(offset8(word, neg), i); got != want {
				t.Errorf("offset8 of %d: %d, want %d", v, got, want)
			}
		}
	}
}

// TestGrids: the codebooks have the points that the formats define, each once, in
// the order of their codes, with coordinates from the format's levels only. The
// sums pin every point.
func TestGrids(t *testing.T) {
	widen := func(g []uint32) (w []uint64) {
		for _, x := range g {
			w = append(w, uint64(x))
		}
		return w
	}
	for _, c := range []struct {
		name  string
		grid  []uint64
		dims  int
		level []int8
		n     int
		sum   uint64
	}{
		{"iq1", gridIQ1, 8, []int8{-8, 0, 8}, 2048, 0x99649f4b16b0d5dd},
		{"iq2_xxs", gridIQ2XXS, 8, []int8{8, 25, 43}, 256, 0xbb4ee025b5ac6e8e},
		{"iq2_xs", gridIQ2XS, 8, []int8{8, 25, 43}, 512, 0xc9b1ee61e79909bd},
		{"iq2_s", gridIQ2S, 8, []int8{8, 25, 43}, 1024, 0x123edd38a3b62b90},
		{"iq3_xxs", widen(gridIQ3XXS), 4, []int8{4, 12, 20, 28, 36, 44, 52, 62}, 256, 0xdfa5dc83d6a155d5},
		{"iq3_s", widen(gridIQ3S), 4, []int8{1, 3, 5, 7, 9, 11, 13, 15}, 512, 0xfa37020c25b44829},
	} {
		if len(c.grid) != c.n {
			t.Errorf("%s: %d points, want %d", c.name, len(c.grid), c.n)
		}
		h := fnv.New64a()
		last := -1
		for i, x := range c.grid {
			code := 0
			for j := range c.dims {
				v := int8(x >> (8 * j))
				k := slices.Index(c.level, v)
				if k < 0 {
					t.Fatalf("%s: point %d has coordinate %d", c.name, i, v)
				}
				code |= k << (j * 16 / c.dims)
				h.Write([]byte{byte(v)})
			}
			if code <= last {
				t.Fatalf("%s: point %d is out of order", c.name, i)
			}
			last = code
		}
		if h.Sum64() != c.sum {
			t.Errorf("%s: sum %#x, want %#x", c.name, h.Sum64(), c.sum)
		}
	}
}

// TestUnpackShort: a slice shorter than a block is a bug of the caller's and
// stops the program before anything is read beyond it.
func TestUnpackShort(t *testing.T) {
	for name, u := range unpackers {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: took a short block", name)
				}
			}()
			src := make([]byte, u.bytes-1)
			if u.super != nil {
				u.super(new(Super), src)
			} else {
				u.small(new(Small), src)
			}
		}()
	}
}

// BenchmarkUnpack reports the bytes of blocks unpacked a second.
func BenchmarkUnpack(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 0))
	for name, u := range unpackers {
		b.Run(name, func(b *testing.B) {
			const n = 64
			src := garbage(r, n*u.bytes)
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				var x Super
				var y Small
				for i := range n {
					if u.super != nil {
						u.super(&x, src[i*u.bytes:][:u.bytes])
					} else {
						u.small(&y, src[i*u.bytes:][:u.bytes])
					}
				}
			}
		})
	}
}
