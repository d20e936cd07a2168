package gguf

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func everyKind() (keys []string, values []any) {
	for _, kv := range []struct {
		key string
		v   any
	}{
		{"z.first", "stays first"}, {"u8", uint8(255)}, {"i8", int8(-128)}, {"u16", uint16(65535)}, {"i16", int16(-32768)},
		{"u32", uint32(1<<32 - 1)}, {"i32", int32(math.MinInt32)}, {"f32", float32(math.Copysign(0, -1))}, {"true", true}, {"false", false},
		{"empty", ""}, {"text", "añ\x00\xff"}, {"u64", uint64(math.MaxUint64)}, {"i64", int64(math.MinInt64)}, {"f64", math.Inf(-1)},
		{"[]u8", []uint8{1}}, {"[]i8", []int8{-1, 2}}, {"[]u16", []uint16{1, 2, 3}}, {"[]i16", []int16{-4}},
		{"[]u32", []uint32{5}}, {"[]i32", []int32{-6, 7}}, {"[]f32", []float32{1.25}}, {"[]bool", []bool{true, false}},
		{"[]string", []string{"", "x", "yy"}}, {"[]u64", []uint64{1 << 63}}, {"[]i64", []int64{-1 << 63}},
		{"[]f64", []float64{math.SmallestNonzeroFloat64}}, {"[] none", []float32{}}, {"[] no strings", []string{}},
	} {
		keys, values = append(keys, kv.key), append(values, kv.v)
	}
	return keys, values
}

func TestWriterRoundTrip(t *testing.T) {
	for _, align := range []uint32{0, 1, 8, 64, 4096} {
		w := NewWriter()
		keys, values := everyKind()
		for i, k := range keys {
			w.SetKV(k, values[i])
		}
		want := int64(32)
		if align > 0 {
			w.SetKV("general.alignment", align)
			want = int64(align)
		}
		w.AddTensor("b", 0, []uint64{3}, 12, fill(1, 12))
		w.AddTensor("a", 8, []uint64{32, 5, 1, 3}, 15*34, fill(2, 15*34))
		w.AddTensor("c", 24, []uint64{1}, 1, fill(3, 1))
		var buf bytes.Buffer
		n, err := w.WriteTo(&buf)
		require.NoError(t, err)
		require.Equal(t, int64(buf.Len()), n)
		require.Zero(t, n%want, "the last tensor is padded too")

		f, err := FromBytes(buf.Bytes(), ggmlSizes)
		require.NoError(t, err)
		sound(t, f, err)
		for i, k := range keys {
			require.Equal(t, values[i], f.KV()[k], k)
		}
		require.Less(t, bytes.Index(buf.Bytes(), []byte("z.first")), bytes.Index(buf.Bytes(), []byte("u8")))
		names := []string{}
		for i, x := range f.Tensors() {
			names = append(names, x.Name)
			require.Zero(t, x.Offset%want)
			require.Equal(t, bytes.Repeat([]byte{byte(i + 1)}, int(x.Size)), f.Bytes(x))
		}
		require.Equal(t, []string{"b", "a", "c"}, names)

		var again bytes.Buffer
		_, err = w.WriteTo(&again)
		require.NoError(t, err)
		require.True(t, bytes.Equal(buf.Bytes(), again.Bytes()), "writing twice")
	}
}

// The writer against the file that was put together by hand.
func TestWriterBytes(t *testing.T) {
	w := NewWriter()
	w.SetKV("k", uint16(9))
	w.SetKV("s", []string{"ab"})
	w.SetKV("k", uint16(5)) // in place
	w.AddTensor("x", 0, []uint64{2, 1}, 8, fill(7, 8))
	w.AddTensor("y", 24, []uint64{1}, 1, fill(8, 1))
	var buf bytes.Buffer
	_, err := w.WriteTo(&buf)
	require.NoError(t, err)
	want := withData(cat(head(3, 2, 2), pair("k", 2, []byte{5, 0}), pair("s", 9, list(8, 1, text("ab"))),
		info("x", 0, 0, 2, 1), info("y", 24, 32, 1)), 64)
	for i := range 8 {
		want[len(want)-64+i] = 7
	}
	want[len(want)-32] = 8
	require.Equal(t, want, buf.Bytes())
}

func TestWriterRefuses(t *testing.T) {
	mine := errors.New("mine")
	long := string(bytes.Repeat([]byte{'n'}, 65))
	for _, c := range []struct {
		name string
		do   func(w *Writer)
		is   error
		says string
	}{
		{"int", func(w *Writer) { w.SetKV("k", 1) }, ErrType, `key "k": int `},
		{"nil", func(w *Writer) { w.SetKV("k", nil) }, ErrType, `key "k": <nil>`},
		{"slice of slices", func(w *Writer) { w.SetKV("k", [][]int32{}) }, ErrType, "[][]int32"},
		{"empty key", func(w *Writer) { w.SetKV("", uint8(1)) }, ErrName, "0 bytes"},
		{"long key", func(w *Writer) { w.SetKV(string(make([]byte, 1<<16+1)), uint8(1)) }, ErrName, "65537 bytes"},
		{"alignment", func(w *Writer) { w.SetKV("general.alignment", uint32(3)) }, ErrAlignment, "found 3"},
		{"alignment of another type", func(w *Writer) { w.SetKV("general.alignment", uint64(32)) }, ErrAlignment, "uint64"},
		{"empty name", func(w *Writer) { w.AddTensor("", 0, []uint64{1}, 4, fill(0, 4)) }, ErrName, "0 bytes"},
		{"zero byte in a name", func(w *Writer) { w.AddTensor("a\x00", 0, []uint64{1}, 4, fill(0, 4)) }, ErrName, `"a\x00"`},
		{"long name", func(w *Writer) { w.AddTensor(long, 0, []uint64{1}, 4, fill(0, 4)) }, ErrName, "65 bytes"},
		{"twice", func(w *Writer) {
			w.AddTensor("x", 0, []uint64{1}, 4, fill(0, 4))
			w.AddTensor("x", 0, []uint64{1}, 4, fill(0, 4))
		}, ErrDuplicate, `"x"`},
		{"no dimensions", func(w *Writer) { w.AddTensor("x", 0, nil, 4, fill(0, 4)) }, ErrShape, "0 dimensions"},
		{"5 dimensions", func(w *Writer) { w.AddTensor("x", 0, make([]uint64, 5), 4, fill(0, 4)) }, ErrShape, "5 dimensions"},
		{"dimension of 0", func(w *Writer) { w.AddTensor("x", 0, []uint64{1, 0}, 4, fill(0, 4)) }, ErrShape, "[1 0]"},
		{"no bytes", func(w *Writer) { w.AddTensor("x", 0, []uint64{1}, 0, fill(0, 0)) }, ErrShape, "0 bytes"},
		{"too few bytes", func(w *Writer) { w.AddTensor("x", 0, []uint64{1}, 4, fill(0, 3)) }, ErrShape, "wrote 3 bytes, expected 4"},
		{"too many bytes", func(w *Writer) { w.AddTensor("x", 0, []uint64{1}, 4, fill(0, 5)) }, ErrShape, "wrote 5 bytes, expected 4"},
		{"failing data", func(w *Writer) { w.AddTensor("x", 0, []uint64{1}, 4, func(io.Writer) error { return mine }) }, mine, "mine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := NewWriter()
			c.do(w)
			_, err := w.WriteTo(io.Discard)
			require.ErrorIs(t, err, c.is)
			require.Contains(t, err.Error(), c.says)
		})
	}
}

// full accepts n bytes and then fails, as a disk does.
type full struct{ n int }

var errFull = errors.New("full")

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.n {
		n := f.n
		f.n = 0
		return n, errFull
	}
	f.n -= len(b)
	return len(b), nil
}

func TestWriterDiskFull(t *testing.T) {
	w := NewWriter()
	keys, values := everyKind()
	for i, k := range keys {
		w.SetKV(k, values[i])
	}
	w.AddTensor("x", 24, []uint64{100_000}, 100_000, fill(1, 100_000))
	n, err := w.WriteTo(io.Discard)
	require.NoError(t, err)
	for at := 0; at < int(n); at += 1000 {
		_, err := w.WriteTo(&full{at})
		require.ErrorIs(t, err, errFull, "after %d bytes", at)
	}
	_, err = w.WriteTo(&full{int(n)})
	require.NoError(t, err)
}
