package quant

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-go/coterie/internal/gguf"
)

// tale opens one of the files of a small trained model, if they are there.
func tale(t testing.TB, name string) *gguf.File {
	t.Helper()
	path := filepath.Join("..", "..", "shared", "tale", "gguf", name)
	if _, err := os.Stat(path); err != nil {
		t.Skip("no ", path)
	}
	f, err := gguf.Open(path, SizeOf)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// layerOf returns the number in "blk.3.", or -1.
func layerOf(name string) int {
	n := -1
	if s, ok := strings.CutPrefix(name, "blk."); ok {
		n = 0
		for _, c := range s {
			if c == '.' {
				break
			}
			n = 10*n + int(c-'0')
		}
	}
	return n
}

// TestMixOfFiles compares recipes with the types found in llama.cpp's files.
func TestMixOfFiles(t *testing.T) {
	for _, name := range []string{"Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "IQ4_XS"} {
		t.Run(name, func(t *testing.T) {
			f := tale(t, "tale-"+name+".gguf")
			r, err := Mix(name)
			must(t, err)
			want, _, err := f.Uint("general.file_type")
			must(t, err)
			if got, ok := r.FileType(); !ok || uint64(got) != want {
				t.Errorf("file type %d, file has %d", got, want)
			}
			for _, x := range f.Tensors() {
				rows := 1
				if len(x.Shape) > 1 {
					rows = int(x.Shape[1])
				}
				got := r.TypeFor(x.Name, layerOf(x.Name), 5, 16, rows, int(x.Shape[0]))
				if got != Type(x.Type) {
					t.Errorf("%s %v: got %v, file has %v", x.Name, x.Shape, got, Type(x.Type))
				}
			}
		})
	}
}

func TestMix(t *testing.T) {
	for _, c := range []struct {
		mix, tensor            string
		layer, layers, experts int
		cols                   int
		want                   Type
	}{
		{"q4_k_m", "output.weight", -1, 32, 8, 4096, Q6_K},
		{"q4_k_m", "output.weight", -1, 32, 8, 4096 + 32, Q8_0},
		{"q4_k_m", "token_embd.weight", -1, 32, 8, 4096, Q4_K},
		{"q4_k_m", "blk.0.ffn_gate_inp.weight", 0, 32, 8, 4096, F32},
		{"q4_k_m", "blk.0.attn_norm.weight", 0, 32, 8, 4096, F32},
		{"q4_k_m", "blk.0.attn_q.bias", 0, 32, 8, 4096, F32},
		{"q4_k_m", "blk.0.ffn_down_exps.weight", 0, 32, 64, 1024, Q6_K},   // first eighth
		{"q4_k_m", "blk.4.ffn_down_exps.weight", 4, 32, 64, 1024, Q4_K},   // 0 of 3
		{"q4_k_m", "blk.6.ffn_down_exps.weight", 6, 32, 64, 1024, Q6_K},   // 2 of 3
		{"q4_k_m", "blk.27.ffn_down_exps.weight", 27, 32, 64, 1024, Q6_K}, // 23 % 3 = 2
		{"q4_k_m", "blk.28.ffn_down_exps.weight", 28, 32, 64, 1024, Q6_K}, // last eighth
		{"q4_k_m", "blk.28.ffn_down_exps.weight", 28, 32, 64, 96, Q8_0},
		{"q4_k_m", "blk.4.ffn_down_exps.weight", 4, 32, 64, 96, Q5_0},
		{"q4_k_m", "blk.4.ffn_up_exps.weight", 4, 32, 64, 100, F16},
		{"q4_k_m", "blk.4.attn_v.weight", 4, 32, 8, 4096, Q8_0},
		{"q4_k_m", "blk.4.attn_k.weight", 4, 32, 8, 4096, Q8_0},
		{"q4_k_m", "blk.4.attn_output.weight", 4, 32, 8, 4096, Q5_K},
		{"q4_k_m", "blk.4.attn_output.weight", 4, 32, 64, 4096, Q4_K},
		{"q4_k_m", "blk.31.attn_kv_b.weight", 31, 32, 64, 512, Q6_K},
		{"Q4_K", "blk.31.attn_v.weight", 31, 32, 64, 4096, Q6_K},
		{"q4_k_s", "blk.3.attn_v.weight", 3, 32, 64, 4096, Q5_K},
		{"q4_k_s", "blk.4.attn_v.weight", 4, 32, 64, 4096, Q4_K},
		{"q3_k_m", "blk.1.attn_v.weight", 1, 32, 64, 4096, Q5_K},
		{"q3_k_m", "blk.2.attn_v.weight", 2, 32, 64, 4096, Q4_K},
		{"q3_k_m", "blk.1.ffn_down_exps.weight", 1, 32, 64, 1024, Q5_K},
		{"q3_k_m", "blk.2.ffn_down_exps.weight", 2, 32, 64, 1024, Q4_K},
		{"q3_k_m", "blk.2.attn_output.weight", 2, 32, 64, 4096, Q4_K},
		{"q3_k_s", "blk.2.ffn_down_exps.weight", 2, 32, 64, 4096, Q3_K},
		{"q3_k_s", "blk.2.ffn_down_exps.weight", 2, 32, 64, 96, Q4_0},
		{"q5_k_s", "blk.2.ffn_down_exps.weight", 2, 32, 64, 96, Q5_1},
		{"q6_k", "blk.2.ffn_down_exps.weight", 2, 32, 64, 96, Q8_0},
		{"iq4_xs", "blk.2.ffn_down_exps.weight", 2, 32, 64, 4096, Q5_K},
		{"iq4_xs", "blk.4.ffn_up_exps.weight", 4, 32, 64, 96, IQ4_NL},
		{"mxfp4", "blk.4.ffn_up_exps.weight", 4, 32, 64, 2880, MXFP4},
		{"mxfp4", "blk.4.attn_v.weight", 4, 32, 64, 2880, Q8_0},
		{"mxfp4", "output.weight", -1, 32, 64, 2880, Q8_0},
		{"q8_0", "output.weight", -1, 32, 64, 4096, Q8_0},
		{"bf16", "output.weight", -1, 32, 64, 4096, BF16},
		{"bf16", "output_norm.weight", -1, 32, 64, 4096, F32},
	} {
		r, err := Mix(c.mix)
		must(t, err)
		if got := r.TypeFor(c.tensor, c.layer, c.layers, c.experts, 256, c.cols); got != c.want {
			t.Errorf("%s, %s in layer %d of %d: got %v, want %v", c.mix, c.tensor, c.layer, c.layers, got, c.want)
		}
	}
	for _, name := range []string{"", "q9_z", "iq2_xxs", "i32"} {
		if _, err := Mix(name); !errors.Is(err, ErrType) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range Mixes() {
		r, err := Mix(name)
		must(t, err)
		for _, cols := range []int{256, 96, 5} { // whatever the rows, a type that fits and can be written
			typ := r.TypeFor("blk.0.ffn_down_exps.weight", 0, 8, 16, 8, cols)
			if !typ.CanQuantize() || typ.RowBytes(cols) < 0 {
				t.Errorf("%s gives rows of %d %v", name, cols, typ)
			}
		}
	}
}

func TestSplit(t *testing.T) {
	dense, err := Mix("q6_k")
	must(t, err)
	experts, err := Pure(Q3_K)
	must(t, err)
	r := Split(dense, experts)
	if r.String() != "q6_k+q3_k" {
		t.Error(r)
	}
	for name, want := range map[string]Type{
		"blk.1.ffn_down_exps.weight": Q3_K, "blk.1.ffn_down_shexp.weight": Q6_K, "blk.1.ffn_gate_inp.weight": F32,
	} {
		if got := r.TypeFor(name, 1, 8, 16, 8, 256); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if _, err = Pure(IQ1_S); !errors.Is(err, ErrCodec) {
		t.Error(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
