package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"unicode/utf8"
)

// TensorData is a tensor to write. Its bytes, little-endian and in row order,
// are Data, or if Data is nil what WriteTo writes when its turn comes.
type TensorData struct {
	Name    string
	Dtype   Dtype
	Shape   []int64
	Data    []byte
	WriteTo func(w io.Writer) error
}

// Write writes a safetensors file with the tensors in the order given. The data
// starts at a multiple of 8 bytes; that each tensor is aligned to its element,
// which some readers want, follows if those of wider elements come first.
func Write(w io.Writer, metadata map[string]string, tensors []TensorData) error {
	head, sizes, err := header(metadata, tensors)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for i, t := range tensors {
		c := &counter{w: w}
		if t.Data != nil || t.WriteTo == nil {
			_, err = c.Write(t.Data)
		} else {
			err = t.WriteTo(c)
		}
		if err != nil {
			return err
		}
		if c.n != sizes[i] {
			return fail(ErrShape, "tensor %s wrote %d bytes, expected %d", brief(t.Name), c.n, sizes[i])
		}
	}
	return nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// header returns all that comes before the data, and the size of each tensor.
func header(metadata map[string]string, tensors []TensorData) ([]byte, []int64, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	b.WriteByte('{')
	if len(metadata) > 0 {
		if err := writeMetadata(&b, metadata); err != nil {
			return nil, nil, err
		}
	}
	sizes := make([]int64, len(tensors))
	names := map[string]bool{keyMetadata: true}
	offset := int64(0)
	for i, t := range tensors {
		if names[t.Name] {
			return nil, nil, fail(ErrDuplicate, "tensor %s occurs twice, or is a reserved name", brief(t.Name))
		}
		names[t.Name] = true
		size, err := byteSize(t.Dtype, t.Shape)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %s: %w", brief(t.Name), err)
		}
		if size > math.MaxInt64-offset {
			return nil, nil, fail(ErrTooLarge, "tensor %s ends beyond 63 bits", brief(t.Name))
		}
		if b.Len() > 9 {
			b.WriteByte(',')
		}
		if err := writeEntry(&b, t, offset, offset+size); err != nil {
			return nil, nil, err
		}
		sizes[i] = size
		offset += size
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	n := b.Len() - 8
	if n > maxHeader {
		return nil, nil, fail(ErrTooLarge, "header of %d bytes, at most %d allowed", n, maxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(n))
	return b.Bytes(), sizes, nil
}

func writeMetadata(b *bytes.Buffer, metadata map[string]string) error {
	quote(b, keyMetadata)
	b.WriteString(":{")
	for i, k := range slices.Sorted(maps.Keys(metadata)) {
		if i > 0 {
			b.WriteByte(',')
		}
		if !utf8.ValidString(k) || !utf8.ValidString(metadata[k]) {
			return fail(ErrHeader, "metadata %s is not UTF-8", brief(k))
		}
		quote(b, k)
		b.WriteByte(':')
		quote(b, metadata[k])
	}
	b.WriteByte('}')
	return nil
}

func writeEntry(b *bytes.Buffer, t TensorData, begin, end int64) error {
	if !utf8.ValidString(t.Name) {
		return fail(ErrHeader, "name %s is not UTF-8", brief(t.Name))
	}
	if len(t.Shape) > maxRank {
		return fail(ErrShape, "tensor %s has %d dimensions, at most %d allowed", brief(t.Name), len(t.Shape), maxRank)
	}
	quote(b, t.Name)
	shape := t.Shape
	if shape == nil {
		shape = []int64{} // a scalar is [], not null
	}
	entry, err := json.Marshal(struct {
		Dtype   Dtype    `json:"dtype"`
		Shape   []int64  `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}{t.Dtype, shape, [2]int64{begin, end}})
	b.WriteByte(':')
	b.Write(entry)
	return err
}

// quote writes a JSON string. Marshalling one cannot fail.
func quote(b *bytes.Buffer, s string) {
	q, _ := json.Marshal(s)
	b.Write(q)
}
