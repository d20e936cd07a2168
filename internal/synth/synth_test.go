package synth

import (
	"bytes"
	"context"
	"errors"
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
