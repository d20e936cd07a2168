package quant

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/coterie-go/coterie/kernels"
)

// blockTypes lists the types whose blocks hold their scales.
func blockTypes() (types []Type) {
	for t := range formats {
		if f := t.Form(); f != Float && f != Index && t != MXFP4Hub {
			types = append(types, t)
		}
	}
	return types
}

// finite reports whether the unpacked scales of a block are.
func finite(t Type, src []byte) bool {
	ok := func(xs ...float32) bool {
		for _, x := range xs {
			if x-x != 0 {
				return false
			}
		}
		return true
	}
	k := t.Format()
	switch {
	case t == MXFP4: // the unpacker gives a NaN the value of the reference decoder
		return src[0] != 255
	case k.Super != nil:
		var b kernels.Super
		k.Super(&b, src)
		return ok(b.D, b.DMin)
	case k.Pair != nil:
		var b [2]kernels.Small
		k.Pair(&b, src)
		return ok(b[0].D[0], b[0].D[1], b[1].D[0], b[1].D[1])
	}
	var b kernels.Small
	k.Small(&b, src)
	return ok(b.D[0], b.D[1], b.M)
}

// TestCheck compares what Check reads of a block with what the unpackers make of it.
func TestCheck(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	for _, typ := range blockTypes() {
		size := typ.BlockBytes()
		found := 0
		for range 20000 {
			src := make([]byte, size)
			for i := range src {
				src[i] = byte(r.Uint32())
			}
			if r.IntN(2) == 0 { // make NaN likelier
				src[r.IntN(size)] |= 0x7c
				src[size-1] |= byte(r.IntN(4)) << 6
			}
			err := Check(typ, src)
			if (err == nil) != finite(typ, src) {
				t.Fatalf("%v: %v of % x", typ, err, src)
			}
			if err != nil {
				found++
			}
		}
		if found == 0 {
			t.Errorf("%v: no bad block among the examples", typ)
		}
	}
}

func TestCheckNamesBlock(t *testing.T) {
	src := make([]byte, Q4_K.RowBytes(5*256))
	if err := Check(Q4_K, src); err != nil {
		t.Error(err)
	}
	le.PutUint16(src[3*144+2:], 0x7c00) // dmin of block 3 is infinite
	err := Check(Q4_K, src)
	if !errors.Is(err, ErrScale) || !strings.Contains(err.Error(), "block 3 of Q4_K") {
		t.Error(err)
	}
	if err := Check(Q4_K, src[:100]); !errors.Is(err, ErrLength) {
		t.Error(err)
	}
	if err := Check(99, src); !errors.Is(err, ErrType) {
		t.Error(err)
	}
	if err := CheckE8M0([]byte{0, 127, 254, 255}); !errors.Is(err, ErrScale) || !strings.Contains(err.Error(), "block 3") {
		t.Error(err)
	}
	if err := CheckE8M0([]byte{0, 254}); err != nil {
		t.Error(err)
	}
	if err := Check(F32, []byte{0, 0, 0xc0, 0x7f}); err != nil {
		t.Error("floats have no scales:", err)
	}
}

// FuzzDequantize: any bytes of the right length have values, all finite if the
// scales are (and within float32: a scale of mxfp4 may be 2^127).
func FuzzDequantize(f *testing.F) {
	for _, typ := range blockTypes() {
		f.Add(uint32(typ), make([]byte, 2*typ.BlockBytes()))
	}
	f.Add(uint32(F16), []byte{0, 0x7c})
	f.Add(uint32(15), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, id uint32, src []byte) {
		typ := Type(id)
		dst := make([]float32, 0)
		if size := typ.BlockBytes(); size > 0 && len(src)%size == 0 {
			dst = make([]float32, len(src)/size*typ.BlockLen())
		}
		err := Dequantize(dst, typ, src)
		if err != nil || typ.Form() == Float || typ == MXFP4 || Check(typ, src) != nil {
			return
		}
		for i, v := range dst {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Fatalf("%v: value %d is %v", typ, i, v)
			}
		}
	})
}

// FuzzQuantize: any values that are accepted give blocks that pass Check and stay
// within the bound of their type.
func FuzzQuantize(f *testing.F) {
	for _, typ := range quantizable() {
		f.Add(uint32(typ), []byte{1, 2, 3, 0x3f, 0, 0, 0x80, 0xbf, 1, 1, 1, 1}, uint16(3))
	}
	f.Fuzz(func(t *testing.T, id uint32, raw []byte, zeros uint16) {
		typ := Type(id)
		if fm := formats[typ]; fm == nil || fm.quantize == nil || len(raw) < 4 {
			return
		}
		x := make([]float32, 256)
		kernels.F32.Load(x[:min(len(raw)/4, 256)], raw)
		for i := range x {
			if zeros>>(i%16)&1 != 0 {
				x[i] = x[i/2]
			}
		}
		if err := Quantize(make([]byte, typ.RowBytes(256)), typ, x, nil); err != nil {
			if !errors.Is(err, ErrValue) {
				t.Fatal(err)
			}
			return
		}
		checkBound(t, typ, x, "fuzz")
	})
}
