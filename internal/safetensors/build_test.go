package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// file puts a file together byte by byte from the format's description, so
// that tests of the reader do not lean on the writer: the length, the header,
// n bytes of data.
func file(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for i := range n {
		b = append(b, byte(i))
	}
	return b
}

func entry(name, dtype, shape string, begin, end int64) string {
	return fmt.Sprintf(`"%s":{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}`, name, dtype, shape, begin, end)
}

func object(entries ...string) string { return "{" + strings.Join(entries, ",") + "}" }

// small is a valid file. Its last byte belongs to a tensor, so every prefix of
// it is truncated.
func small() (data []byte, headerEnd int) {
	header := object(
		`"__metadata__":{"format":"pt","\u00e9\ud83d\ude00\n":""}`,
		entry("b.weight", "BF16", "2,3", 4, 16),
		`"a" : { "data_offsets" : [ 0 , 4 ] , "shape" : [ ] , "dtype" : "F32" }`,
		entry(`n\"\u0041`, "F8_E4M3", "1,5", 16, 21),
		entry("none", "I64", "3,0", 16, 16),
		entry("fp4", "F4", "4", 21, 23)) + "  "
	return file(header, 23), 8 + len(header)
}

var sentinels = []error{ErrTruncated, ErrTooLarge, ErrHeader, ErrDuplicate, ErrType, ErrShape, ErrOffset, ErrOverlap, ErrGap, ErrIndex}

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
	total := make([]int64, len(f.data))
	for _, name := range f.Names() {
		x, ok := f.Tensor(name)
		if !ok || x.Name != name {
			t.Fatalf("tensor %q is not found by name", name)
		}
		if len(f.Bytes(x)) != int(x.Size) {
			t.Fatalf("unsound tensor %+v", x)
		}
		if size, err := byteSize(x.Dtype, x.Shape); err != nil || size != x.Size {
			t.Fatalf("unsound tensor %+v: %v", x, err)
		}
		total[x.Shard] += x.Size
	}
	for i, b := range f.data {
		if n := 8 + int64(binary.LittleEndian.Uint64(b)); n+total[i] != int64(len(b)) {
			t.Fatalf("header and tensors take %d bytes of %d", n+total[i], len(b))
		}
	}
}

func TestSmall(t *testing.T) {
	data, start := small()
	f, err := FromBytes(data)
	require.NoError(t, err)
	sound(t, f, err)
	require.Equal(t, map[string]string{"format": "pt", "é😀\n": ""}, f.Metadata())
	require.Equal(t, []string{"a", "b.weight", "fp4", `n"A`, "none"}, f.Names())
	s := int64(start)
	require.Equal(t, []*Tensor{
		{Name: "a", Dtype: F32, Shape: []int64{}, Offset: s, Size: 4},
		{Name: "b.weight", Dtype: BF16, Shape: []int64{2, 3}, Offset: s + 4, Size: 12},
		{Name: "fp4", Dtype: F4, Shape: []int64{4}, Offset: s + 21, Size: 2},
		{Name: `n"A`, Dtype: F8E4M3, Shape: []int64{1, 5}, Offset: s + 16, Size: 5},
		{Name: "none", Dtype: I64, Shape: []int64{3, 0}, Offset: s + 16, Size: 0},
	}, f.Tensors())
	x, ok := f.Tensor("a")
	require.True(t, ok)
	require.Equal(t, []byte{0, 1, 2, 3}, f.Bytes(x))
	require.Equal(t, 4, cap(f.Bytes(x)), "appending must not reach the next tensor")
	_, ok = f.Tensor("absent")
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

func TestTruncatedEverywhere(t *testing.T) {
	data, _ := small()
	for n := range data {
		f, err := FromBytes(data[:n:n])
		require.Error(t, err, "the first %d bytes", n)
		sound(t, f, err)
	}
}

func TestFlippedEverywhere(t *testing.T) {
	data, end := small()
	for i := range end {
		old := data[i]
		for b := range 256 {
			data[i] = byte(b)
			f, err := FromBytes(data)
			sound(t, f, err)
		}
		data[i] = old
	}
}

// A file that the reference implementation wrote.
func TestReference(t *testing.T) {
	f, err := Open("testdata/q4_0.safetensors")
	require.NoError(t, err)
	defer f.Close()
	sound(t, f, err)
	require.Equal(t, []string{"blocks", "values"}, f.Names())
	blocks, _ := f.Tensor("blocks")
	values, _ := f.Tensor("values")
	require.Equal(t, U8, blocks.Dtype)
	require.Equal(t, F32, values.Dtype)
	require.Equal(t, []int64{blocks.Shape[0], 18}, blocks.Shape)
	require.Equal(t, []int64{blocks.Shape[0], 32}, values.Shape)
}
