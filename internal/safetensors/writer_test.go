package safetensors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriteRoundTrip(t *testing.T) {
	tensors := []TensorData{
		{Name: "z", Dtype: F32, Shape: []int64{2, 1}, Data: []byte("12345678")},
		{Name: "scalar", Dtype: I64, Data: []byte("abcdefgh")},
		{Name: "none", Dtype: BF16, Shape: []int64{0, 7}},
		{Name: "a \"<&>\\\n\u2028é😀\x7f", Dtype: F8E4M3, Shape: []int64{3}, WriteTo: func(w io.Writer) error {
			for _, c := range []string{"x", "", "yz"} {
				if _, err := io.WriteString(w, c); err != nil {
					return err
				}
			}
			return nil
		}},
		{Name: "", Dtype: F4, Shape: []int64{2, 2}, Data: []byte("44")},
	}
	metadata := map[string]string{"format": "pt", "b": "\"\x00</script>", "": "é"}
	var buf bytes.Buffer
	require.NoError(t, Write(&buf, metadata, tensors))
	f, err := FromBytes(buf.Bytes())
	require.NoError(t, err)
	sound(t, f, err)
	require.Equal(t, metadata, f.Metadata())
	require.Len(t, f.Names(), len(tensors))
	for i, want := range []string{"12345678", "abcdefgh", "", "xyz", "44"} {
		x, ok := f.Tensor(tensors[i].Name)
		require.True(t, ok, "%q", tensors[i].Name)
		require.Equal(t, tensors[i].Dtype, x.Dtype)
		require.Equal(t, append([]int64{}, tensors[i].Shape...), append([]int64{}, x.Shape...))
		require.Equal(t, want, string(f.Bytes(x)))
	}
	first, _ := f.Tensor("z")
	require.Zero(t, first.Offset%8)

	var again bytes.Buffer
	require.NoError(t, Write(&again, metadata, tensors))
	require.Equal(t, buf.Bytes(), again.Bytes(), "writing twice")
}

// The writer against bytes put together by hand.
func TestWriteBytes(t *testing.T) {
	for _, c := range []struct {
		metadata map[string]string
		tensors  []TensorData
		header   string
		n        int
	}{
		{nil, nil, "{}      ", 0},
		{map[string]string{"b": "2", "a": "1"}, nil, `{"__metadata__":{"a":"1","b":"2"}}` + "      ", 0},
		{map[string]string{"a": "1"}, []TensorData{
			{Name: "y", Dtype: U8, Shape: []int64{2}, Data: []byte{0, 1}},
			{Name: "x", Dtype: F16, Data: []byte{2, 3}},
		}, `{"__metadata__":{"a":"1"},"y":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"x":{"dtype":"F16","shape":[],"data_offsets":[2,4]}}`, 4},
	} {
		for len(c.header)%8 != 0 {
			c.header += " "
		}
		var buf bytes.Buffer
		require.NoError(t, Write(&buf, c.metadata, c.tensors))
		require.Equal(t, string(file(c.header, c.n)), buf.String())
	}
}

func TestWriteRefuses(t *testing.T) {
	mine := errors.New("mine")
	var many []TensorData // 2^59 bytes each: the 16th ends at 2^63
	for i := range 20 {
		many = append(many, TensorData{Name: fmt.Sprint(i), Dtype: F64, Shape: []int64{1 << 56}})
	}
	x := TensorData{Name: "x", Dtype: U8, Shape: []int64{4}, Data: make([]byte, 4)}
	for _, c := range []struct {
		name     string
		metadata map[string]string
		tensors  []TensorData
		is       error
		says     string
	}{
		{"twice", nil, []TensorData{x, x}, ErrDuplicate, `tensor "x"`},
		{"reserved", nil, []TensorData{{Name: "__metadata__", Dtype: U8, Shape: []int64{0}}}, ErrDuplicate, "reserved"},
		{"dtype", nil, []TensorData{{Name: "x", Dtype: "F33"}}, ErrType, `tensor "x": safetensors: unknown dtype: "F33"`},
		{"negative", nil, []TensorData{{Name: "x", Dtype: U8, Shape: []int64{-1}}}, ErrShape, "negative"},
		{"overflow", nil, []TensorData{{Name: "x", Dtype: U8, Shape: []int64{1 << 62, 4}}}, ErrShape, "overflows"},
		{"half a byte", nil, []TensorData{{Name: "x", Dtype: F4, Shape: []int64{1}}}, ErrShape, "within a byte"},
		{"rank", nil, []TensorData{{Name: "x", Dtype: U8, Shape: make([]int64, 65)}}, ErrShape, "65 dimensions"},
		{"sum", nil, many, ErrTooLarge, `tensor "15" ends beyond 63 bits`},
		{"short data", nil, []TensorData{{Name: "x", Dtype: U8, Shape: []int64{4}, Data: make([]byte, 3)}}, ErrShape, "wrote 3 bytes, expected 4"},
		{"long data", nil, []TensorData{{Name: "x", Dtype: U8, Shape: []int64{4}, Data: make([]byte, 5)}}, ErrShape, "wrote 5 bytes"},
		{"no data", nil, []TensorData{{Name: "x", Dtype: U8, Shape: []int64{4}}}, ErrShape, "wrote 0 bytes"},
		{"failing data", nil, []TensorData{{Name: "x", Dtype: U8, Shape: []int64{4}, WriteTo: func(io.Writer) error { return mine }}}, mine, "mine"},
		{"name", nil, []TensorData{{Name: "\xff", Dtype: U8, Shape: []int64{0}}}, ErrHeader, "UTF-8"},
		{"metadata key", map[string]string{"\xff": ""}, nil, ErrHeader, "UTF-8"},
		{"metadata value", map[string]string{"k": "\xff"}, nil, ErrHeader, `"k" is not UTF-8`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Write(io.Discard, c.metadata, c.tensors)
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
		return 0, errFull
	}
	f.n -= len(b)
	return len(b), nil
}

func TestWriteDiskFull(t *testing.T) {
	x := []TensorData{{Name: "x", Dtype: U8, Shape: []int64{100}, Data: make([]byte, 100)}}
	var buf bytes.Buffer
	require.NoError(t, Write(&buf, nil, x))
	for n := range buf.Len() {
		require.ErrorIs(t, Write(&full{n}, nil, x), errFull, "after %d bytes", n)
	}
	require.NoError(t, Write(&full{buf.Len()}, nil, x))
}
