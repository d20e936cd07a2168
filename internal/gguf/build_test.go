package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// Files put together byte by byte from the format's description, so that tests
// of the reader do not lean on the writer.

func u32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }
func u64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

func text(s string) []byte { return cat(u64(uint64(len(s))), []byte(s)) }

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func head(version uint32, nTensors, nKV uint64) []byte {
	return cat([]byte("GGUF"), u32(version), u64(nTensors), u64(nKV))
}

func pair(key string, typ uint32, value []byte) []byte { return cat(text(key), u32(typ), value) }

func list(typ uint32, n uint64, elements []byte) []byte { return cat(u32(typ), u64(n), elements) }

func info(name string, typ uint32, offset uint64, ne ...uint64) []byte {
	b := cat(text(name), u32(uint32(len(ne))))
	for _, n := range ne {
		b = append(b, u64(n)...)
	}
	return cat(b, u32(typ), u64(offset))
}

// withData pads the header to 32 and adds n bytes of data.
func withData(header []byte, n int) []byte {
	for len(header)%32 != 0 {
		header = append(header, 0)
	}
	return append(header, make([]byte, n)...)
}

// small is a valid file with a value of every type and three tensors. Its last
// byte is the last tensor's, so every prefix of it is truncated. The header
// ends at headerEnd.
func small() (data []byte, headerEnd int) {
	pairs := [][]byte{
		pair("general.architecture", 8, text("llama")),
		pair("u8", 0, []byte{200}),
		pair("i8", 1, []byte{0xff}),
		pair("u16", 2, []byte{1, 2}),
		pair("i16", 3, []byte{0xfe, 0xff}),
		pair("u32", 4, u32(1<<31)),
		pair("i32", 5, u32(0xfffffffd)),
		pair("f32", 6, u32(0x3fc00000)),
		pair("bool", 7, []byte{1}),
		pair("u64", 10, u64(1<<63)),
		pair("i64", 11, u64(1<<64-4)),
		pair("f64", 12, u64(0xbfe0000000000000)),
		pair("strings", 9, list(8, 3, cat(text("a"), text(""), text("\xff\x00b")))),
		pair("floats", 9, list(6, 2, cat(u32(0x3fc00000), u32(0xbf800000)))),
		pair("bools", 9, list(7, 3, []byte{1, 0, 1})),
		pair("ints", 9, list(5, 2, cat(u32(7), u32(0xffffffff)))),
		pair("bytes", 9, list(0, 3, []byte{1, 2, 3})),
		pair("none", 9, list(11, 0, nil)),
	}
	data = cat(head(3, 3, uint64(len(pairs))), cat(pairs...),
		info("token_embd.weight", 0, 32, 4, 2),
		info("blk.0.ffn_up.weight", 8, 64, 32, 1, 1, 2),
		info("first", 1, 0, 3))
	headerEnd = len(data)
	data = withData(data, 64+68)
	for i := range 64 + 68 {
		data[len(data)-1-i] = byte(i)
	}
	return data, headerEnd
}

var sentinels = []error{ErrMagic, ErrVersion, ErrTruncated, ErrTooLarge, ErrName, ErrDuplicate,
	ErrType, ErrValue, ErrShape, ErrAlignment, ErrOverlap, ErrSplit}

// sound fails the test unless err is one of ours, or f keeps every promise that
// Open makes about a file.
func sound(t *testing.T, f *File, err error) {
	t.Helper()
	if err != nil {
		for _, s := range sentinels {
			if errors.Is(err, s) {
				return
			}
		}
		t.Fatalf("an error without a sentinel: %v", err)
	}
	type span struct {
		shard  int
		lo, hi int64
	}
	var spans []span
	for _, x := range f.Tensors() {
		if len(f.Bytes(x)) != int(x.Size) || x.Size <= 0 || len(x.Shape) < 1 || len(x.Shape) > 4 || len(x.Name) > 64 {
			t.Fatalf("unsound tensor %+v", x)
		}
		if got, ok := f.Tensor(x.Name); !ok || got != x {
			t.Fatalf("tensor %q is not found by name", x.Name)
		}
		for _, s := range spans {
			if x.Shard == s.shard && x.Offset < s.hi && s.lo < x.Offset+x.Size {
				t.Fatalf("tensor %q overlaps another", x.Name)
			}
		}
		if len(spans) < 100 {
			spans = append(spans, span{x.Shard, x.Offset, x.Offset + x.Size})
		}
	}
	for key, v := range f.KV() {
		if key == "" || v == nil {
			t.Fatalf("unsound key %q: %v", key, v)
		}
		kinds := 0
		for _, err := range []error{
			third(f.Uint(key)), third(f.Int(key)), third(f.Float(key)), third(f.Bool(key)), third(f.String(key)),
			third(f.Strings(key)), third(f.Bools(key)), third(f.Ints(key)), third(f.Uints(key)), third(f.Floats(key)),
		} {
			switch {
			case err == nil || errors.Is(err, ErrValue):
				kinds++
			case !errors.Is(err, ErrType):
				t.Fatalf("key %q: %v", key, err)
			}
		}
		if kinds != 1 && kinds != 2 {
			t.Fatalf("key %q of %T is of %d kinds", key, v, kinds)
		}
	}
}

func third[T any](_ T, _ bool, err error) error { return err }

func TestSmall(t *testing.T) {
	data, _ := small()
	f, err := FromBytes(data, ggmlSizes)
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"general.architecture": "llama",
		"u8":                   uint8(200), "i8": int8(-1), "u16": uint16(0x201), "i16": int16(-2),
		"u32": uint32(1 << 31), "i32": int32(-3), "f32": float32(1.5), "bool": true,
		"u64": uint64(1 << 63), "i64": int64(-4), "f64": -0.5,
		"strings": []string{"a", "", "\xff\x00b"}, "floats": []float32{1.5, -1}, "bools": []bool{true, false, true},
		"ints": []int32{7, -1}, "bytes": []uint8{1, 2, 3}, "none": []int64{},
	}, f.KV())

	start := int64(len(data) - 64 - 68)
	require.Equal(t, []*Tensor{
		{Name: "token_embd.weight", Type: 0, Shape: []uint64{4, 2}, Offset: start + 32, Size: 32},
		{Name: "blk.0.ffn_up.weight", Type: 8, Shape: []uint64{32, 1, 1, 2}, Offset: start + 64, Size: 68},
		{Name: "first", Type: 1, Shape: []uint64{3}, Offset: start, Size: 6},
	}, f.Tensors())
	x, ok := f.Tensor("first")
	require.True(t, ok)
	require.Equal(t, []byte{131, 130, 129, 128, 127, 126}, f.Bytes(x))
	require.Equal(t, 6, cap(f.Bytes(x)), "appending must not reach the next tensor")
	_, ok = f.Tensor("second")
	require.False(t, ok)
	require.Empty(t, f.Shards())
	for _, bad := range []Tensor{
		{Shard: 1}, {Shard: -1}, {Offset: -1}, {Size: -1}, {Offset: int64(len(data)) + 1}, {Offset: 1, Size: int64(len(data))},
		{Offset: 1<<63 - 1, Size: 1<<63 - 1},
	} {
		require.Nil(t, f.Bytes(&bad))
	}
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	require.Nil(t, f.Bytes(x))
}

func TestVersion2(t *testing.T) {
	data, _ := small()
	data[4] = 2
	f, err := FromBytes(data, ggmlSizes)
	require.NoError(t, err)
	sound(t, f, err)
}

func TestTruncatedEverywhere(t *testing.T) {
	data, _ := small()
	for n := range data {
		f, err := FromBytes(data[:n:n], ggmlSizes)
		require.Error(t, err, "the first %d bytes", n)
		sound(t, f, err)
	}
}

func TestFlippedEverywhere(t *testing.T) {
	data, end := small()
	for i := range end {
		old := data[i]
		for _, b := range []byte{^old, 0, 0xff, 0x7f, 0x80, old + 1, old - 1, old ^ 1, old ^ 2, old ^ 4, old ^ 8, old ^ 16, old ^ 32} {
			data[i] = b
			f, err := FromBytes(data, ggmlSizes)
			sound(t, f, err)
		}
		data[i] = old
	}
}
