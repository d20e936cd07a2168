package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// parse reads one file's header, appends its tensors to f and returns its
// metadata.
func (f *File) parse(data []byte, shard int) (map[string]string, error) {
	if len(data) < 8 {
		return nil, fail(ErrTruncated, "%d bytes, expected the header's length in 8", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader {
		return nil, fail(ErrTooLarge, "header of %d bytes, at most %d allowed", n, maxHeader)
	}
	if n > uint64(len(data)-8) {
		return nil, fail(ErrTruncated, "header of %d bytes, %d are left", n, len(data)-8)
	}
	head := data[8:][:n]
	if n == 0 || head[0] != '{' {
		return nil, fail(ErrHeader, "header of %d bytes does not start with '{'", n)
	}
	h := headerParser{scanner: scanner{data: head}, shard: shard, start: 8 + int64(n), end: int64(len(data))}
	// Room for no more tensors than the header can hold.
	h.tensors = make([]*Tensor, 0, min(bytes.Count(head, []byte{'{'}), len(head)/minEntry))
	if err := h.parse(); err != nil {
		return nil, err
	}
	if err := h.cover(); err != nil {
		return nil, err
	}
	f.tensors = append(f.tensors, h.tensors...)
	return h.metadata, nil
}

type headerParser struct {
	scanner
	shard      int
	start, end int64 // of the data, in the file
	tensors    []*Tensor
	metadata   map[string]string

	freeTensors []Tensor // what newTensor hands out next
	freeDims    []int64  // where the next shape grows
}

func (h *headerParser) parse() error {
	err := h.object(func(key []byte) error {
		if string(key) == keyMetadata {
			return h.parseMetadata()
		}
		t := h.newTensor()
		t.Name = string(key)
		if err := h.parseTensor(t); err != nil {
			return fmt.Errorf("tensor %s: %w", brief(t.Name), err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return h.scanner.end()
}

func (h *headerParser) parseMetadata() error {
	if h.metadata != nil {
		return fail(ErrDuplicate, "key %q occurs twice", keyMetadata)
	}
	h.metadata = map[string]string{}
	return h.object(func(b []byte) error {
		key := string(b)
		if _, ok := h.metadata[key]; ok {
			return fail(ErrDuplicate, "key %s of %q occurs twice", brief(key), keyMetadata)
		}
		if len(h.metadata) == maxMetadata {
			return fail(ErrTooLarge, "more than %d entries in %q", maxMetadata, keyMetadata)
		}
		value, err := h.text()
		h.metadata[key] = string(value)
		return err
	})
}

func (h *headerParser) parseTensor(t *Tensor) error {
	var dtype, shape, offsets bool
	var begin, end int64
	twice := func(seen *bool, key []byte) error {
		if *seen {
			return fail(ErrDuplicate, "key %q occurs twice", key)
		}
		*seen = true
		return nil
	}
	err := h.object(func(key []byte) (err error) {
		switch string(key) {
		case "dtype":
			if err = twice(&dtype, key); err == nil {
				t.Dtype, err = h.parseDtype()
			}
		case "shape":
			if err = twice(&shape, key); err == nil {
				t.Shape, err = h.parseShape()
			}
		case "data_offsets":
			if err = twice(&offsets, key); err == nil {
				begin, end, err = h.parseOffsets()
			}
		default:
			err = fail(ErrHeader, "key %s, expected dtype, shape or data_offsets", brief(string(key)))
		}
		return err
	})
	if err != nil {
		return err
	}
	if !dtype || !shape || !offsets {
		return fail(ErrHeader, "dtype, shape or data_offsets is missing")
	}
	return h.place(t, begin, end)
}

func (h *headerParser) parseDtype() (Dtype, error) {
	name, err := h.text()
	if err != nil {
		return "", err
	}
	d, _, ok := known(string(name))
	if !ok {
		return "", fail(ErrType, "%s", brief(string(name)))
	}
	return d, nil
}

func (h *headerParser) parseShape() ([]int64, error) {
	if cap(h.freeDims) < maxRank {
		h.freeDims = make([]int64, 0, 512)
	}
	dims := h.freeDims
	err := h.array(func() error {
		dim, err := h.integer()
		if err == nil && len(dims) == maxRank {
			err = fail(ErrShape, "more than %d dimensions", maxRank)
		}
		if err == nil {
			dims = append(dims, dim)
		}
		return err
	})
	n := len(dims)
	h.freeDims = dims[n:]
	return dims[:n:n], err
}

func (h *headerParser) parseOffsets() (begin, end int64, err error) {
	n := 0
	err = h.array(func() (err error) {
		begin = end
		end, err = h.integer()
		n++
		return err
	})
	if err == nil && n != 2 {
		err = fail(ErrOffset, "%d data_offsets, expected 2", n)
	}
	return begin, end, err
}

// place checks a tensor's range against its shape and the file.
func (h *headerParser) place(t *Tensor, begin, end int64) (err error) {
	if begin > end {
		return fail(ErrOffset, "data_offsets [%d, %d] run backwards", begin, end)
	}
	if room := h.end - h.start; end > room {
		return fail(ErrTruncated, "data_offsets [%d, %d], the file holds %d bytes of data", begin, end, room)
	}
	if t.Size, err = byteSize(t.Dtype, t.Shape); err != nil {
		return err
	}
	if t.Size != end-begin {
		return fail(ErrShape, "shape %d of %s takes %d bytes, data_offsets [%d, %d] give %d",
			t.Shape, t.Dtype, t.Size, begin, end, end-begin)
	}
	t.Shard, t.Offset = h.shard, h.start+begin
	return nil
}

// cover checks that the tensors lie one behind the other from the start of the
// data to the end of the file.
func (h *headerParser) cover() error {
	slices.SortFunc(h.tensors, func(a, b *Tensor) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Size, b.Size))
	})
	at, last := h.start, "the header"
	for _, t := range h.tensors {
		if t.Offset < at {
			return fail(ErrOverlap, "tensor %s starts at byte %d, before the end of %s at %d",
				brief(t.Name), t.Offset, last, at)
		}
		if t.Offset > at {
			return fail(ErrGap, "%d between %s and tensor %s", t.Offset-at, last, brief(t.Name))
		}
		at, last = t.Offset+t.Size, "tensor "+brief(t.Name)
	}
	if at != h.end {
		return fail(ErrGap, "%d between %s and the end of the file", h.end-at, last)
	}
	return nil
}

// newTensor allocates tensors a chunk at a time, so that what a file costs
// follows what it holds and not what it claims.
func (h *headerParser) newTensor() *Tensor {
	if len(h.freeTensors) == 0 {
		h.freeTensors = make([]Tensor, 128)
	}
	t := &h.freeTensors[0]
	h.freeTensors = h.freeTensors[1:]
	h.tensors = append(h.tensors, t)
	return t
}
