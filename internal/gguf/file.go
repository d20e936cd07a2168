package gguf

import (
	"errors"
	"slices"
	"strings"

	"github.com/coterie-go/coterie/internal/mmap"
)

// SizeFunc gives the block of a ggml type: how many elements, in how many
// bytes. It reports false for ids that are unknown or were removed.
type SizeFunc = func(typ uint32) (blockLen, blockBytes int, ok bool)

// Tensor says where a tensor lies.
type Tensor struct {
	Name   string
	Type   uint32   // ggml type id
	Shape  []uint64 // 1 to 4 dimensions, the fastest first, none of them 0
	Shard  int      // index into File.Shards
	Offset int64    // bytes from the start of the shard
	Size   int64    // bytes
}

// File is an open GGUF file, or all the files of a split one. It does not
// change after Open and may be shared by goroutines; Close ends that.
type File struct {
	kv      map[string]any
	tensors []*Tensor // in file order
	byName  []int32   // indices into tensors, sorted by name
	shards  []*mmap.File
	data    [][]byte // bytes of each shard; nil after Close

	freeTensors []Tensor // what newTensor hands out next
	freeDims    []uint64
}

// FromBytes parses a file that lies in memory. The File refers to data, which
// must not change. A file that is one of several is refused with ErrSplit.
func FromBytes(data []byte, sizeOf SizeFunc) (*File, error) {
	f := &File{data: [][]byte{data}}
	var err error
	if f.kv, err = f.parse(data, 0, sizeOf); err != nil {
		return nil, err
	}
	n, err := f.splitCount()
	if err != nil {
		return nil, err
	}
	if n > 1 {
		return nil, fail(ErrSplit, "first of %d files, expected a whole one", n)
	}
	if err := f.index(); err != nil {
		return nil, err
	}
	return f, nil
}

// newTensor allocates tensors a chunk at a time, so that what a file costs
// follows what it holds and not what it claims.
func (f *File) newTensor() *Tensor {
	if len(f.freeTensors) == 0 {
		f.freeTensors = make([]Tensor, 128)
	}
	t := &f.freeTensors[0]
	f.freeTensors = f.freeTensors[1:]
	f.tensors = append(f.tensors, t)
	return t
}

func (f *File) newShape(n int) []uint64 {
	if len(f.freeDims) < n {
		f.freeDims = make([]uint64, 256)
	}
	s := f.freeDims[:n:n]
	f.freeDims = f.freeDims[n:]
	return s
}

// index sorts the names and finds the ones that occur twice. A sorted list
// takes a tenth of the memory of a map.
func (f *File) index() error {
	f.byName = make([]int32, len(f.tensors))
	for i := range f.byName {
		f.byName[i] = int32(i)
	}
	name := func(i int32) string { return f.tensors[i].Name }
	slices.SortFunc(f.byName, func(a, b int32) int { return strings.Compare(name(a), name(b)) })
	for i := 1; i < len(f.byName); i++ {
		if n := name(f.byName[i]); n == name(f.byName[i-1]) {
			return fail(ErrDuplicate, "tensor %q occurs twice", n)
		}
	}
	f.freeTensors, f.freeDims = nil, nil
	return nil
}

// Tensor finds a tensor by name.
func (f *File) Tensor(name string) (*Tensor, bool) {
	i, ok := slices.BinarySearchFunc(f.byName, name, func(i int32, name string) int {
		return strings.Compare(f.tensors[i].Name, name)
	})
	if !ok {
		return nil, false
	}
	return f.tensors[f.byName[i]], true
}

// Tensors returns all tensors in file order. The caller must not change them.
func (f *File) Tensors() []*Tensor { return f.tensors }

// Bytes returns a tensor's bytes, [t.Size]byte: a view, valid until Close.
// It is nil after Close, and for a Tensor that is not of this file.
func (f *File) Bytes(t *Tensor) []byte {
	if t.Shard < 0 || t.Shard >= len(f.data) {
		return nil
	}
	b := f.data[t.Shard]
	if t.Offset < 0 || t.Size < 0 || t.Offset > int64(len(b)) || t.Size > int64(len(b))-t.Offset {
		return nil
	}
	return b[t.Offset:][:t.Size:t.Size]
}

// Shards returns the open files, none for one that was parsed from memory.
func (f *File) Shards() []*mmap.File { return f.shards }

// Close unmaps all files. What Bytes returned must not be used after it.
func (f *File) Close() error {
	f.data = nil
	var errs []error
	for _, s := range f.shards {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
