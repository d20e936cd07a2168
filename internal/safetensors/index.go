package safetensors

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coterie-go/coterie/internal/mmap"
)

// index is a checkpoint's weight_map: the shard of each tensor.
type index struct {
	files   []string // plain file names, sorted
	entries []indexEntry
}

type indexEntry struct {
	name  string
	shard int32 // index into files
}

// openIndex opens every shard that the index at path lists and checks that
// each tensor is where it says. Tensors that it leaves out are kept.
func (f *File) openIndex(path string) error {
	ix, err := readIndex(path)
	if err != nil {
		return err
	}
	for _, name := range ix.files {
		if err := f.add(filepath.Join(filepath.Dir(path), name)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := f.sort(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, e := range ix.entries {
		t, ok := f.Tensor(e.name)
		if !ok {
			return fail(ErrIndex, "%s: tensor %s is not in %s", path, brief(e.name), ix.files[e.shard])
		}
		if t.Shard != int(e.shard) {
			return fail(ErrIndex, "%s: tensor %s is in %s, expected in %s",
				path, brief(e.name), ix.files[t.Shard], ix.files[e.shard])
		}
	}
	return nil
}

func readIndex(path string) (*index, error) {
	m, err := mmap.Open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var ix *index
	err = mmap.Guard(func() error {
		var err error
		ix, err = parseIndex(m.Bytes()) // copies what it keeps
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ix, nil
}

// parseIndex reads {"weight_map": {tensor: file, ...}, ...}. Other keys are
// skipped.
func parseIndex(data []byte) (*index, error) {
	if len(data) > maxHeader {
		return nil, fail(ErrTooLarge, "index of %d bytes, at most %d allowed", len(data), maxHeader)
	}
	s := &scanner{data: data}
	var ix *index
	err := s.object(func(key []byte) (err error) {
		if string(key) != keyWeights {
			return s.skip(maxDepth)
		}
		if ix != nil {
			return fail(ErrDuplicate, "key %q occurs twice", keyWeights)
		}
		ix, err = s.weightMap()
		return err
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, err
	}
	if ix == nil || len(ix.entries) == 0 {
		return nil, fail(ErrIndex, "no tensors in %q", keyWeights)
	}
	return ix, ix.sort()
}

func (s *scanner) weightMap() (*index, error) {
	// Room for no more entries than the rest can hold.
	rest := s.data[s.off:]
	ix := &index{entries: make([]indexEntry, 0, min(bytes.Count(rest, []byte{':'}), len(rest)/minIndexed))}
	shards := map[string]int32{}
	err := s.object(func(key []byte) error {
		name := string(key)
		text, err := s.text()
		if err != nil {
			return fmt.Errorf("tensor %s: %w", brief(name), err)
		}
		shard, ok := shards[string(text)] // without a copy
		if !ok {
			file := string(text)
			if err := plain(file); err != nil {
				return fmt.Errorf("tensor %s: %w", brief(name), err)
			}
			if len(ix.files) == maxShards {
				return fail(ErrTooLarge, "more than %d files", maxShards)
			}
			shard = int32(len(ix.files))
			shards[file] = shard
			ix.files = append(ix.files, file)
		}
		ix.entries = append(ix.entries, indexEntry{name, shard})
		return nil
	})
	return ix, err
}

// plain refuses every name that could lead out of the index's directory on any
// system, whatever system this is.
func plain(file string) error {
	if file == "" || file == "." || file == ".." || strings.ContainsAny(file, "/\\:\x00") || !filepath.IsLocal(file) {
		return fail(ErrIndex, "file %s, expected a plain name in the index's directory", brief(file))
	}
	return nil
}

// sort orders the files by name and finds tensors that are listed twice.
func (ix *index) sort() error {
	slices.SortFunc(ix.entries, func(a, b indexEntry) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(ix.entries); i++ {
		if n := ix.entries[i].name; n == ix.entries[i-1].name {
			return fail(ErrDuplicate, "tensor %s occurs twice in %q", brief(n), keyWeights)
		}
	}
	old := slices.Clone(ix.files)
	slices.Sort(ix.files)
	for i := range ix.entries {
		e := &ix.entries[i]
		at, _ := slices.BinarySearch(ix.files, old[e.shard])
		e.shard = int32(at)
	}
	return nil
}
