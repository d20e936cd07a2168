package safetensors

import (
	"errors"
	"slices"
	"strings"

	"github.com/coterie-go/coterie/internal/mmap"
)

// Tensor says where a tensor lies.
type Tensor struct {
	Name   string
	Dtype  Dtype
	Shape  []int64 // the slowest dimension first; none for a scalar
	Shard  int     // index into File.Shards
	Offset int64   // bytes from the start of the shard
	Size   int64   // bytes
}

// File is an open safetensors file, or all the shards of a checkpoint. It does
// not change after Open and may be shared by goroutines; Close ends that.
type File struct {
	tensors  []*Tensor // sorted by name
	metadata map[string]string
	shards   []*mmap.File
	data     [][]byte // bytes of each shard; nil after Close
}

// FromBytes parses a file that lies in memory. The File refers to data, which
// must not change.
func FromBytes(data []byte) (*File, error) {
	f := &File{data: [][]byte{data}}
	var err error
	if f.metadata, err = f.parse(data, 0); err != nil {
		return nil, err
	}
	if err := f.sort(); err != nil {
		return nil, err
	}
	return f, nil
}

// sort orders the tensors by name and finds the names that occur twice.
func (f *File) sort() error {
	slices.SortFunc(f.tensors, func(a, b *Tensor) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(f.tensors); i++ {
		a, b := f.tensors[i-1], f.tensors[i]
		if a.Name != b.Name {
			continue
		}
		if a.Shard != b.Shard {
			return fail(ErrDuplicate, "tensor %s occurs in %s and in %s",
				brief(a.Name), f.shards[a.Shard].Path(), f.shards[b.Shard].Path())
		}
		return fail(ErrDuplicate, "tensor %s occurs twice", brief(a.Name))
	}
	return nil
}

// Tensor finds a tensor by name.
func (f *File) Tensor(name string) (*Tensor, bool) {
	i, ok := slices.BinarySearchFunc(f.tensors, name, func(t *Tensor, name string) int {
		return strings.Compare(t.Name, name)
	})
	if !ok {
		return nil, false
	}
	return f.tensors[i], true
}

// Names returns the names of all tensors, sorted.
func (f *File) Names() []string {
	names := make([]string, len(f.tensors))
	for i, t := range f.tensors {
		names[i] = t.Name
	}
	return names
}

// Tensors returns all tensors, sorted by name. The caller must not change them.
func (f *File) Tensors() []*Tensor { return f.tensors }

// Bytes returns a tensor's bytes, [t.Size]byte: a view, valid until Close. It
// need not be aligned to the element. It is nil after Close, and for a Tensor
// that is not of this file.
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

// Metadata returns the file's own metadata, of a checkpoint that of its first
// shard. It may be nil. The caller must not change it.
func (f *File) Metadata() map[string]string { return f.metadata }

// Close unmaps all files. What Bytes returned must not be used after it.
func (f *File) Close() error {
	f.data = nil
	var errs []error
	for _, s := range f.shards {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
