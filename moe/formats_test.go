package moe_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/quant"
)

// scaleOf says where a block's first scale lies: the offset of a float16, or -1 for
// those that have it elsewhere.
var scaleOf = map[quant.Type]int{
	quant.Q4_0: 0, quant.Q4_1: 0, quant.Q5_0: 0, quant.Q5_1: 0, quant.Q8_0: 0,
	quant.Q2_K: 80, quant.Q3_K: 108, quant.Q4_K: 0, quant.Q5_K: 0, quant.Q6_K: 208,
	quant.IQ1_S: 0, quant.IQ1_M: -1, quant.IQ2_XXS: 0, quant.IQ2_XS: 0, quant.IQ2_S: 0, quant.IQ3_XXS: 0, quant.IQ3_S: 0,
	quant.IQ4_NL: 0, quant.IQ4_XS: 0, quant.TQ1_0: 52, quant.TQ2_0: 64, quant.MXFP4: -1, quant.NVFP4: -1,
}

// setScale sets a block's scale to a float16, or to what is nearest in kind: a
// number, or none.
func setScale(t quant.Type, block []byte, half uint16) {
	bad := half&0x7c00 == 0x7c00
	switch {
	case scaleOf[t] >= 0:
		binary.LittleEndian.PutUint16(block[scaleOf[t]:], half)
	case t == quant.IQ1_M: // four bits each in the last four words
		for i := range 4 {
			b := &block[49+2*i]
			*b = *b&15 | byte(half>>(4*i))<<4
		}
	case t == quant.MXFP4 && bad:
		block[0] = 255
	case t == quant.NVFP4 && bad:
		block[0] = 0x7f
	}
}

// taleIn returns Tale with experts of a type: quantised, or of random blocks for
// types that are only read.
func taleIn(t testing.TB, typ quant.Type) []byte {
	t.Helper()
	const source = "moetest/tale.gguf"
	var b bytes.Buffer
	if typ.CanQuantize() {
		r, err := quant.Pure(typ)
		must(t, err)
		must(t, moe.Quantize(context.Background(), &b, source, r, moe.Export{}))
		return b.Bytes()
	}
	f, err := gguf.Open(source, quant.SizeOf)
	must(t, err)
	defer f.Close()
	w := gguf.NewWriter()
	for k, v := range f.KV() {
		w.SetKV(k, v)
	}
	r := rand.New(rand.NewPCG(uint64(typ), 1))
	for _, x := range f.Tensors() {
		data, id := f.Bytes(x), x.Type
		if strings.Contains(x.Name, "_exps.weight") && int(x.Shape[0])%typ.BlockLen() == 0 {
			n := int(x.Shape[0]*x.Shape[1]*x.Shape[2]) / typ.BlockLen()
			id, data = uint32(typ), make([]byte, n*typ.BlockBytes())
			for i := range data {
				data[i] = byte(r.Uint32())
			}
			values := make([]float32, typ.BlockLen())
			for i := 0; i < len(data); i += typ.BlockBytes() { // weights as large as trained ones
				block := data[i : i+typ.BlockBytes()]
				setScale(typ, block, quant.F32ToF16(1))
				must(t, quant.Dequantize(values, typ, block))
				size := math.Sqrt(float64(kernels.Dot(values, values)) / float64(len(values)))
				setScale(typ, block, quant.F32ToF16(float32(0.03/size)))
			}
		}
		w.AddTensor(x.Name, id, x.Shape, int64(len(data)), func(w io.Writer) error { _, err := w.Write(data); return err })
	}
	_, err = w.WriteTo(&b)
	must(t, err)
	return b.Bytes()
}

// rounding is how far a token's logits may be from those with activations in float32:
// root mean square, in units of their own deviation, half of the tokens. Activations
// of 8 bits give 0.007 to 0.03; a wrong scale, sign or minimum ten times that. The
// other half may have been sent to other experts by a hair.
const rounding = 0.04

// TestFormats: a model in every format opens, gives the same bits on every
// instruction set and number of threads, and the numbers of its dequantised weights.
func TestFormats(t *testing.T) {
	for typ := range scaleOf {
		t.Run(typ.String(), func(t *testing.T) {
			data := taleIn(t, typ)
			open := func(o ...moe.Option) (*moe.Model, error) { return moe.OpenBytes(data, o...) }
			want := ""
			for _, isa := range kernels.ISAs() {
				if isa == "portable" && len(kernels.ISAs()) > 1 && os.Getenv("COTERIE_LONG") == "" {
					continue // slow; package kernels holds every product against the portable one
				}
				restore, err := kernels.UseISA(isa)
				must(t, err)
				for _, c := range []struct{ threads, chunk, batch int }{{1, 64, 1}, {3, 7, 2}} {
					if isa == "portable" && c.threads != 1 {
						continue
					}
					got := fingerprint(t, open, c.threads, c.chunk, c.batch)
					if want == "" {
						want = got
					}
					if got != want {
						t.Errorf("%s, %+v: %s, want %s", isa, c, got, want)
					}
				}
				restore()
			}
			x, y := logits(t, open), logits(t, open, moe.WithFloatActivations())
			var each []float64
			for v := 2048; len(x) > 0; x, y = x[v:], y[v:] {
				each = append(each, distance(x[:v], y[:v]))
			}
			slices.Sort(each)
			if d := each[len(each)/2]; !(d < rounding) {
				t.Errorf("logits are %.4f of their deviation from those of the dequantised weights", d)
			} else {
				t.Logf("%.4f", d)
			}
		})
	}
}

func logits(t testing.TB, open func(...moe.Option) (*moe.Model, error), o ...moe.Option) []float32 {
	t.Helper()
	m, err := open(o...)
	must(t, err)
	defer m.Close()
	ids := make([]int32, 24)
	for i := range ids {
		ids[i] = int32(100 + 37*i)
	}
	x, err := m.ForwardAll(context.Background(), m.NewState(), ids)
	must(t, err)
	return x
}

func distance(x, y []float32) float64 {
	var mean, dev, diff float64
	for _, v := range y {
		mean += float64(v) / float64(len(y))
	}
	for i, v := range y {
		dev += (float64(v) - mean) * (float64(v) - mean)
		diff += (float64(v) - float64(x[i])) * (float64(v) - float64(x[i]))
	}
	return math.Sqrt(diff / dev)
}

// TestCheck: a scale that is not a number is found at open, from memory and from a
// file, in every format that has scales.
func TestCheck(t *testing.T) {
	const name = "blk.2.ffn_up_exps.weight"
	for typ := range scaleOf {
		data := taleIn(t, typ)
		f, err := gguf.FromBytes(data, quant.SizeOf)
		must(t, err)
		x, ok := f.Tensor(name)
		if !ok || quant.Type(x.Type) != typ {
			t.Fatalf("%v: no %s", typ, name)
		}
		block := f.Bytes(x)[17*typ.BlockBytes():]
		setScale(typ, block, 0x7e00)
		_, err = moe.OpenBytes(data)
		if !errors.Is(err, moe.ErrNumber) || !errors.Is(err, quant.ErrScale) || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v", typ, err)
		}
		path := filepath.Join(t.TempDir(), "bad.gguf")
		must(t, os.WriteFile(path, data, 0o644))
		if _, err = moe.Open(path); !errors.Is(err, moe.ErrNumber) {
			t.Errorf("%v: from a file: %v", typ, err)
		}
		m, err := moe.Open(path, moe.WithCheck(false))
		must(t, err)
		m.Close()
	}
}

// TestUnknownTypes: types that no file should hold are named at open.
func TestUnknownTypes(t *testing.T) {
	data := taleIn(t, quant.Q8_0)
	at := bytes.Index(data, []byte("blk.2.ffn_up_exps.weight")) + len("blk.2.ffn_up_exps.weight") + 4 + 3*8
	for _, id := range []uint32{4, 31, 36, 99} {
		binary.LittleEndian.PutUint32(data[at:], id)
		_, err := moe.OpenBytes(data)
		if !errors.Is(err, moe.ErrFormat) || !strings.Contains(err.Error(), fmt.Sprint("type id ", id)) || !strings.Contains(err.Error(), "blk.2.ffn_up_exps.weight") {
			t.Errorf("type %d: %v", id, err)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
