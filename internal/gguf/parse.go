package gguf

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

const (
	minKV     = 8 + 1 + 4 + 1         // key length, key, type, value
	minTensor = 8 + 1 + 4 + 8 + 4 + 8 // name length, name, dimensions, one of them, type, offset
)

// parse reads one file, appends its tensors to f and returns its metadata.
func (f *File) parse(data []byte, shard int, sizeOf SizeFunc) (map[string]any, error) {
	r := &reader{data: data}
	nTensors, nKV, err := r.header()
	if err != nil {
		return nil, err
	}
	kv, err := r.metadata(nKV)
	if err != nil {
		return nil, err
	}
	align, err := alignmentOf(kv)
	if err != nil {
		return nil, err
	}
	// The metadata lies between the count and what it counts.
	if err := r.room(nTensors, maxTensors, minTensor, "number of tensors"); err != nil {
		return nil, err
	}
	first := len(f.tensors)
	f.tensors = slices.Grow(f.tensors, int(nTensors)) // at most a quarter of the file
	for range nTensors {
		if err := f.parseTensor(r, shard, align, sizeOf); err != nil {
			return nil, err
		}
	}
	return kv, f.place(f.tensors[first:], r, align)
}

func (r *reader) header() (nTensors, nKV uint64, err error) {
	m, err := r.take(4, "magic")
	if err != nil {
		return 0, 0, err
	}
	if string(m) != magic {
		return 0, 0, fail(ErrMagic, "starts with %q, expected %q", m, magic)
	}
	version, err := r.u32("version")
	if err != nil {
		return 0, 0, err
	}
	switch swapped := bits.ReverseBytes32(version); {
	case version == 2 || version == 3:
	case swapped >= 1 && swapped <= 3:
		return 0, 0, fail(ErrVersion, "version %d in big-endian order, expected a little-endian file", swapped)
	default:
		return 0, 0, fail(ErrVersion, "version %d, expected 2 or 3", version)
	}
	if nTensors, err = r.u64("number of tensors"); err != nil {
		return 0, 0, err
	}
	if nKV, err = r.count(maxKV, minKV, "number of keys"); err != nil {
		return 0, 0, err
	}
	// Checked again, closer, where the tensors start.
	return nTensors, nKV, r.room(nTensors, maxTensors, minTensor, "number of tensors")
}

func (r *reader) metadata(n uint64) (map[string]any, error) {
	kv := make(map[string]any, n)
	for i := range n {
		b, err := r.bytes(maxKey, "key")
		if err != nil {
			return nil, fmt.Errorf("key %d of %d: %w", i, n, err)
		}
		key := string(b)
		if key == "" {
			return nil, fail(ErrName, "key %d is empty", i)
		}
		if _, ok := kv[key]; ok {
			return nil, fail(ErrDuplicate, "key %s occurs twice", brief(key))
		}
		if kv[key], err = r.value(); err != nil {
			return nil, fmt.Errorf("key %s: %w", brief(key), err)
		}
	}
	return kv, nil
}

func alignmentOf(kv map[string]any) (uint64, error) {
	v, ok := kv[keyAlignment]
	if !ok {
		return alignment, nil
	}
	a, ok := v.(uint32)
	if !ok {
		return 0, fail(ErrAlignment, "key %q: expected uint32, found %T", keyAlignment, v)
	}
	if bits.OnesCount32(a) != 1 {
		return 0, fail(ErrAlignment, "key %q: expected a power of two, found %d", keyAlignment, a)
	}
	return uint64(a), nil
}

// parseTensor reads the next tensor's entry. Its Offset counts from the start
// of the data until place.
func (f *File) parseTensor(r *reader, shard int, align uint64, sizeOf SizeFunc) error {
	name, err := r.bytes(maxName, "name")
	if err != nil {
		return fmt.Errorf("tensor %d: %w", len(f.tensors), err)
	}
	if len(name) == 0 || bytes.IndexByte(name, 0) >= 0 {
		return fail(ErrName, "tensor %d is named %q, expected 1 to %d bytes other than 0", len(f.tensors), name, maxName)
	}
	t := f.newTensor()
	t.Name, t.Shard = string(name), shard
	if err := f.parseLayout(r, t, align); err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if t.Size, err = byteSize(t, sizeOf); err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return nil
}

func (f *File) parseLayout(r *reader, t *Tensor, align uint64) error {
	dims, err := r.u32("number of dimensions")
	if err != nil {
		return err
	}
	if dims < 1 || dims > maxDims {
		return fail(ErrShape, "%d dimensions, expected 1 to %d", dims, maxDims)
	}
	b, err := r.take(uint64(dims)*8+4+8, "shape, type and offset")
	if err != nil {
		return err
	}
	t.Shape = f.newShape(int(dims))
	for i := range t.Shape {
		t.Shape[i], b = binary.LittleEndian.Uint64(b), b[8:]
	}
	t.Type = binary.LittleEndian.Uint32(b)
	offset := binary.LittleEndian.Uint64(b[4:])
	if offset%align != 0 {
		return fail(ErrAlignment, "offset %d, expected a multiple of %d", offset, align)
	}
	if offset > math.MaxInt64 {
		return fail(ErrTruncated, "offset %d, the file holds %d bytes", offset, len(r.data))
	}
	t.Offset = int64(offset)
	return nil
}

// byteSize returns the bytes that the tensor takes, checking each product.
func byteSize(t *Tensor, sizeOf SizeFunc) (int64, error) {
	blockLen, blockBytes, ok := sizeOf(t.Type)
	if !ok || blockLen <= 0 || blockBytes <= 0 {
		return 0, TypeError{t.Type}
	}
	n := uint64(1)
	for _, ne := range t.Shape {
		if ne == 0 {
			return 0, fail(ErrShape, "shape %d has an empty dimension", t.Shape)
		}
		hi, lo := bits.Mul64(n, ne)
		if hi != 0 || lo > math.MaxInt64 {
			return 0, fail(ErrShape, "shape %d overflows 63 bits of elements", t.Shape)
		}
		n = lo
	}
	if t.Shape[0]%uint64(blockLen) != 0 {
		return 0, fail(ErrShape, "rows of %d, expected a multiple of %d, the block of type id %d",
			t.Shape[0], blockLen, t.Type)
	}
	hi, size := bits.Mul64(n/uint64(blockLen), uint64(blockBytes))
	if hi != 0 || size > math.MaxInt64 {
		return 0, fail(ErrShape, "shape %d of type id %d overflows 63 bits of bytes", t.Shape, t.Type)
	}
	return int64(size), nil
}

// place makes offsets absolute and checks that the tensors lie in the file and
// apart from each other. The data starts at the next multiple of align.
func (f *File) place(tensors []*Tensor, r *reader, align uint64) error {
	if len(tensors) == 0 {
		return nil
	}
	start := uint64(r.off) + (align-uint64(r.off)%align)%align
	size := uint64(len(r.data))
	if start > size {
		return fail(ErrTruncated, "tensor data starts at byte %d (alignment %d), the file holds %d", start, align, size)
	}
	room := int64(size - start)
	for _, t := range tensors {
		if t.Offset > room || t.Size > room-t.Offset {
			return fail(ErrTruncated, "tensor %q: %d bytes at %d of the data, the file holds %d there",
				t.Name, t.Size, t.Offset, room)
		}
		t.Offset += int64(start)
	}
	return apart(tensors)
}

func apart(tensors []*Tensor) error {
	order := func(a, b *Tensor) int { return cmp.Compare(a.Offset, b.Offset) }
	byOffset := tensors
	if !slices.IsSortedFunc(tensors, order) {
		byOffset = slices.Clone(tensors)
		slices.SortFunc(byOffset, order)
	}
	for i, t := range byOffset[1:] {
		if p := byOffset[i]; p.Offset+p.Size > t.Offset {
			return fail(ErrOverlap, "tensor %q starts at byte %d, inside tensor %q (bytes %d to %d)",
				t.Name, t.Offset, p.Name, p.Offset, p.Offset+p.Size)
		}
	}
	return nil
}
