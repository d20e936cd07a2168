package synth

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/quant"
)

// The smallest shape with one layer must be a file that opens, of the types that
// the mix gives each tensor.
func TestWrite(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 300 MB to memory")
	}
	var b bytes.Buffer
	if err := Write(context.Background(), &b, "olmoe-1b-7b", "q4_k_m", 1, nil); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.FromBytes(b.Bytes(), quant.SizeOf)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]quant.Type{
		"blk.0.ffn_gate_exps.weight": quant.Q4_K, "output.weight": quant.Q6_K, "blk.0.ffn_gate_inp.weight": quant.F32,
	} {
		x, ok := f.Tensor(name)
		if !ok || quant.Type(x.Type) != want {
			t.Errorf("%s: %v, want %v", name, x, want)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, c := range [][2]string{{"nothing", "q8_0"}, {"olmoe-1b-7b", "q9"}} {
		if err := Write(context.Background(), &bytes.Buffer{}, c[0], c[1], 1, nil); !errors.Is(err, ErrShape) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// TestSkewed: options change what they say, and the same options give the same file.
func TestSkewed(t *testing.T) {
	write := func(opts ...Option) (*gguf.File, []byte) {
		var b bytes.Buffer
		if err := Write(context.Background(), &b, "qwen3-30b-a3b", "q8_0", 2, nil, opts...); err != nil {
			t.Fatal(err)
		}
		f, err := gguf.FromBytes(b.Bytes(), quant.SizeOf)
		if err != nil {
			t.Fatal(err)
		}
		return f, b.Bytes()
	}
	f, all := write(Tiny(), Skewed(0.9))
	if _, again := write(Tiny(), Skewed(0.9)); !bytes.Equal(all, again) {
		t.Error("another file")
	}
	if len(all) > 8<<20 {
		t.Errorf("%d bytes, want few", len(all))
	}
	for layer, name := range []string{"blk.0.ffn_gate_inp.weight", "blk.1.ffn_gate_inp.weight"} {
		x, ok := f.Tensor(name)
		if !ok || len(x.Shape) != 2 || x.Shape[0] != 128 || x.Shape[1] != 128 {
			t.Fatalf("layer %d: %+v", layer, x)
		}
		// Sorted, the part of the scores that all tokens share is -0.9 log(rank).
		data, first := f.Bytes(x), make([]float64, 128)
		for e := range first {
			first[e] = float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*128*e:])))
		}
		if slices.IsSortedFunc(first, func(a, b float64) int { return cmp.Compare(b, a) }) {
			t.Errorf("layer %d: experts are in the order of their popularity", layer)
		}
		slices.Sort(first)
		slices.Reverse(first)
		rms := math.Sqrt((16 + 127) / 128.0)
		for rank, v := range first {
			if want := -0.9 * math.Log(float64(rank+1)); math.Abs(v*4/rms-want) > 1e-5 {
				t.Fatalf("layer %d, rank %d: %v, want %v", layer, rank, v*4/rms, want)
			}
		}
	}
}
