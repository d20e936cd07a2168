package moe_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/internal/safetensors"
	"github.com/coterie-go/coterie/internal/testkit"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/quant"
	"github.com/stretchr/testify/require"
)

// base is a sound checkpoint to be damaged: in memory that ends where each file
// does, and on disk with the same contents.
type base struct {
	files   map[string][]byte
	weights string // the file that holds the tensors
	dir     string
	path    string // what Open opens: the directory, or the file in it
	budget  int64  // the smallest
	regions [4][]span
}

// The regions of a checkpoint.
const (
	configRegion, tokenizerRegion, tensorList = 0, 1, 2
	tensorData                                = 3 // a span for each tensor
)

// span is a part of a file.
type span struct {
	file  string
	at, n int
}

// spot stands for a byte of a checkpoint: 2 bits for the region, 10 for the span,
// 20 for what lies before it there.
func spot(region, span, at int) uint32 { return uint32(region)<<30 | uint32(span)<<20 | uint32(at) }

func (b *base) find(spot uint32) (file string, at int) {
	list := b.regions[spot>>30]
	s := list[int(spot>>20&0x3ff)%len(list)]
	return s.file, s.at + int(spot&0xfffff)%s.n
}

// baseGGUF makes a base of a GGUF file.
func baseGGUF(t testing.TB, data []byte) *base {
	const name = "model.gguf"
	b := &base{files: map[string][]byte{name: testkit.Copy(t, data)}, weights: name, dir: t.TempDir()}
	b.path = filepath.Join(b.dir, name)
	f, err := gguf.FromBytes(data, quant.SizeOf)
	require.NoError(t, err)
	tokens := bytes.Index(data, []byte("tokenizer.ggml."))
	tensors := bytes.Index(data, []byte(f.Tensors()[0].Name))
	first := int64(len(data))
	for _, x := range f.Tensors() {
		first = min(first, x.Offset)
		b.regions[tensorData] = append(b.regions[tensorData], span{name, int(x.Offset), int(x.Size)})
	}
	require.True(t, 0 < tokens && tokens < tensors && tensors < int(first))
	b.regions[configRegion] = []span{{name, 0, tokens}}
	b.regions[tokenizerRegion] = []span{{name, tokens, tensors - tokens}}
	b.regions[tensorList] = []span{{name, tensors, int(first) - tensors}}
	b.write(t)
	return b
}

// baseHub makes a base of a checkpoint in the hub's layout.
func baseHub(t testing.TB, dir string) *base {
	b := &base{files: map[string][]byte{}, weights: "model.safetensors", dir: t.TempDir()}
	b.path = b.dir
	for region, name := range []string{"config.json", "tokenizer.json", b.weights} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		b.files[name] = testkit.Copy(t, data)
		b.regions[region] = []span{{name, 0, len(data)}}
	}
	f, err := safetensors.FromBytes(b.files[b.weights])
	require.NoError(t, err)
	for _, name := range f.Names() {
		x, _ := f.Tensor(name)
		b.regions[tensorData] = append(b.regions[tensorData], span{b.weights, int(x.Offset), int(x.Size)})
	}
	list := &b.regions[tensorList][0]
	for _, s := range b.regions[tensorData] {
		list.n = min(list.n, s.at)
	}
	b.write(t)
	return b
}

// write puts the files on disk and asks for the smallest budget.
func (b *base) write(t testing.TB) {
	for name, data := range b.files {
		require.NoError(t, os.WriteFile(filepath.Join(b.dir, name), data, 0o644))
	}
	p, err := moe.Plan(b.path, 1<<30)
	require.NoError(t, err)
	b.budget = p.Minimum
}

// open opens the checkpoint from disk, or of what lies in memory the first n bytes
// of the tensors' file.
func (b *base) open(disk bool, n int, opts ...moe.Option) (*moe.Model, error) {
	if disk {
		return moe.Open(b.path, opts...)
	}
	data := b.files[b.weights][:n:n]
	if b.path != b.dir {
		return moe.OpenBytes(data, opts...)
	}
	files := maps.Clone(b.files)
	files[b.weights] = data
	return moe.OpenFiles(files, opts...)
}

// size is that of all files.
func (b *base) size() (n int) {
	for _, data := range b.files {
		n += len(data)
	}
	return n
}

// file opens one of the files on disk for writing.
func (b *base) file(t testing.TB, name string) *os.File {
	f, err := os.OpenFile(filepath.Join(b.dir, name), os.O_WRONLY, 0)
	require.NoError(t, err)
	return f
}

// damage changes bytes, in memory and if asked for on disk: each 5 bytes of the
// list are a spot and what is xored to the byte there.
func (b *base) damage(t testing.TB, list []byte, disk bool) (undo func()) {
	type change struct {
		file string
		at   int
		old  byte
	}
	var changes []change
	put := func(file string, at int, v byte) {
		b.files[file][at] = v
		if disk {
			f := b.file(t, file)
			defer f.Close()
			_, err := f.WriteAt([]byte{v}, int64(at))
			require.NoError(t, err)
		}
	}
	for ; len(list) >= 5 && len(changes) < 64; list = list[5:] {
		file, at := b.find(binary.LittleEndian.Uint32(list))
		old := b.files[file][at]
		changes = append(changes, change{file, at, old})
		put(file, at, old^list[4])
	}
	return func() {
		for _, c := range slices.Backward(changes) {
			put(c.file, c.at, c.old)
		}
	}
}

// cut shortens the tensors' file on disk to n bytes.
func (b *base) cut(t testing.TB, n int) (undo func()) {
	f := b.file(t, b.weights)
	require.NoError(t, f.Truncate(int64(n)))
	return func() {
		defer f.Close()
		_, err := f.WriteAt(b.files[b.weights][n:], int64(n))
		require.NoError(t, err)
	}
}
