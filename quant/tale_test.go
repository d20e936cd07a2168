package quant

import (
	"math"
	"testing"

	"github.com/coterie-go/coterie/internal/gguf"
)

// TestAgainstFiles quantises the weights of a trained model to the types that
// each tensor has in llama.cpp's files of it, and compares the errors, type by
// type: ours may not be larger by more than 1 %, and is smaller where this says so.
func TestAgainstFiles(t *testing.T) {
	limit := map[Type]float64{
		Q8_0: 1.0, Q6_K: 0.96, Q5_K: 0.99, Q4_K: 0.995, Q3_K: 0.97, IQ4_XS: 0.98, IQ4_NL: 0.98, Q5_0: 0.96, Q5_1: 0.92, Q4_0: 0.96,
	}
	source := tale(t, "tale-bf16-nomtp.gguf")
	for _, name := range []string{"Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "IQ4_XS"} {
		t.Run(name, func(t *testing.T) {
			f := tale(t, "tale-"+name+".gguf")
			ours, theirs := map[Type]float64{}, map[Type]float64{}
			for _, x := range f.Tensors() {
				typ := Type(x.Type)
				if typ.Form() == Float {
					continue
				}
				s, ok := source.Tensor(x.Name)
				if !ok {
					t.Fatal("no ", x.Name)
				}
				w := decode(t, source, s)
				ours[typ] += squared(w, through(t, typ, w, nil))
				theirs[typ] += squared(w, decode(t, f, x))
			}
			for typ, e := range ours {
				r := math.Sqrt(e / theirs[typ])
				t.Logf("%-7v %.4f of theirs", typ, r)
				if !(r <= limit[typ]) {
					t.Errorf("%v: error is %.4f of that of llama.cpp's file, limit %.3f", typ, r, limit[typ])
				}
			}
		})
	}
}

func decode(t *testing.T, f *gguf.File, x *gguf.Tensor) []float32 {
	t.Helper()
	raw, typ := f.Bytes(x), Type(x.Type)
	dst := make([]float32, len(raw)/typ.BlockBytes()*typ.BlockLen())
	must(t, Check(typ, raw))
	must(t, Dequantize(dst, typ, raw))
	return dst
}

func squared(x, y []float32) (e float64) {
	for i, v := range x {
		d := float64(v) - float64(y[i])
		e += d * d
	}
	return e
}
