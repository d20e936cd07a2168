package quant

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestTypes(t *testing.T) {
	for typ := range formats {
		for _, name := range []string{typ.String(), strings.ToLower(typ.String())} {
			if got, err := Parse(name); err != nil || got != typ {
				t.Errorf("%q: %v, %v", name, got, err)
			}
		}
		n, size := typ.BlockLen(), typ.BlockBytes()
		if !typ.Valid() || n <= 0 || size <= 0 || typ.RowBytes(3*n) != 3*size || n > 1 && typ.RowBytes(3*n+1) != -1 {
			t.Errorf("%v: blocks of %d in %d bytes", typ, n, size)
		}
		bl, bb, ok := SizeOf(uint32(typ))
		if inFile := typ < 1<<16; ok != inFile || inFile && (bl != n || bb != size) {
			t.Errorf("%v: SizeOf gives %d, %d, %v", typ, bl, bb, ok)
		}
		if _, err := FromGGUF(uint32(typ)); (err == nil) != ok {
			t.Errorf("%v: %v", typ, err)
		}
		if (typ.Form() == Index) != (typ.Format() == nil) {
			t.Errorf("%v: form %d", typ, typ.Form())
		}
	}
	for id := range uint32(64) {
		_, known := formats[Type(id)]
		_, gone := removed[id]
		if known && gone {
			t.Errorf("number %d is both a type and removed", id)
		}
		if _, err := FromGGUF(id); !known && !errors.Is(err, ErrType) {
			t.Errorf("number %d: %v", id, err)
		}
		if _, _, ok := SizeOf(id); ok != known {
			t.Errorf("number %d: %v", id, ok)
		}
	}
	if _, err := Parse("q4_2"); !errors.Is(err, ErrType) {
		t.Error(err)
	}
	if u := Type(31); u.Valid() || u.String() != "Type(31)" || u.RowBytes(256) != -1 || u.CanQuantize() || u.UnpackSuper() != nil {
		t.Error(u)
	}
}

// TestForms checks what forms, minima and halves say against unpacked blocks.
func TestForms(t *testing.T) {
	for _, c := range []struct {
		typ   Type
		form  Form
		min   bool
		per16 bool
	}{
		{F32, Float, false, false}, {BF16, Float, false, false}, {F8E4M3, Float, false, false}, {I64, Index, false, false},
		{Q4_1, Small32, true, false}, {Q8_0, Small32, false, false}, {NVFP4, Small32, false, true}, {MXFP4Hub, Small32, false, false},
		{Q2_K, Super256, true, true}, {Q4_K, Super256, true, false}, {Q6_K, Super256, false, true}, {IQ1_M, Super256, false, true},
		{IQ2_XXS, Super256, false, false}, {TQ1_0, Super256, false, false},
	} {
		if c.typ.Form() != c.form || c.typ.HasMin() != c.min || c.typ.ScalesPer16() != c.per16 {
			t.Errorf("%v: %d, %v, %v", c.typ, c.typ.Form(), c.typ.HasMin(), c.typ.ScalesPer16())
		}
		if (c.typ.UnpackSuper() != nil) != (c.form == Super256) {
			t.Errorf("%v: UnpackSuper", c.typ)
		}
	}
}

func ExampleQuantize() {
	row := make([]float32, 256)
	for i := range row {
		row[i] = float32(i-128) / 128
	}
	blocks := make([]byte, Q4_K.RowBytes(len(row)))
	if err := Quantize(blocks, Q4_K, row, nil); err != nil {
		fmt.Println(err)
	}
	back := make([]float32, len(row))
	if err := Dequantize(back, Q4_K, blocks); err != nil {
		fmt.Println(err)
	}
	fmt.Println(len(blocks), "bytes for", len(back), "values")
	// Output: 144 bytes for 256 values
}

func ExampleMix() {
	mix, err := Mix("q4_k_m")
	if err != nil {
		fmt.Println(err)
	}
	for _, name := range []string{"output.weight", "blk.9.attn_q.weight", "blk.9.ffn_gate_inp.weight"} {
		fmt.Println(name, mix.TypeFor(name, 9, 48, 128, 2048, 2048))
	}
	// Output:
	// output.weight Q6_K
	// blk.9.attn_q.weight Q4_K
	// blk.9.ffn_gate_inp.weight F32
}
