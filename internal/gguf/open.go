package gguf

import (
	"fmt"
	"path/filepath"

	"github.com/coterie-go/coterie/internal/mmap"
)

// Open maps the file at path. If it is the first of a split file
// (NAME-00001-of-0000N.gguf), its siblings in the same directory are opened
// with it; their names come from path and the number alone.
func Open(path string, sizeOf SizeFunc) (*File, error) {
	f := &File{}
	if err := f.open(path, sizeOf); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *File) open(path string, sizeOf SizeFunc) error {
	var err error
	if f.kv, err = f.add(path, sizeOf); err != nil {
		return err
	}
	count, err := f.splitCount()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if count > 1 {
		if err := f.openSplits(path, count, sizeOf); err != nil {
			return err
		}
	}
	if err := f.index(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// add maps and parses one more file and returns its metadata.
func (f *File) add(path string, sizeOf SizeFunc) (map[string]any, error) {
	m, err := mmap.Open(path)
	if err != nil {
		return nil, err
	}
	f.shards = append(f.shards, m)
	f.data = append(f.data, m.Bytes())
	var kv map[string]any
	err = mmap.Guard(func() error {
		var err error
		kv, err = f.parse(m.Bytes(), len(f.shards)-1, sizeOf)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return kv, nil
}

// splitCount returns how many files make up the whole, 1 if it is not split.
func (f *File) splitCount() (int, error) {
	n, ok, err := f.Uint(keySplitCount)
	if err != nil || !ok {
		return 1, err
	}
	if n > 1<<16-1 {
		return 0, fail(ErrSplit, "key %q: %d files, at most %d allowed", keySplitCount, n, 1<<16-1)
	}
	return max(int(n), 1), nil
}

func (f *File) openSplits(path string, count int, sizeOf SizeFunc) error {
	dir, base := filepath.Split(path)
	// The suffix is fixed by the count, so nothing in the file reaches a path.
	suffix := fmt.Sprintf("-00001-of-%05d.gguf", count)
	if len(base) < len(suffix) || base[len(base)-len(suffix):] != suffix {
		return fail(ErrSplit, "%s: one of %d files, expected the first of them, named NAME%s", path, count, suffix)
	}
	prefix := base[:len(base)-len(suffix)]
	if err := checkSplit(path, f.kv, 0, count); err != nil {
		return err
	}
	for i := 1; i < count; i++ {
		sibling := dir + fmt.Sprintf("%s-%05d-of-%05d.gguf", prefix, i+1, count)
		kv, err := f.add(sibling, sizeOf)
		if err != nil {
			return fmt.Errorf("%w: file %d of %d: %w", ErrSplit, i+1, count, err)
		}
		if err := checkSplit(sibling, kv, i, count); err != nil {
			return err
		}
	}
	total, ok, err := f.Int(keySplitTensors)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if ok && total != int64(len(f.tensors)) {
		return fail(ErrSplit, "%s: %d tensors in %d files, expected %d by key %q",
			path, len(f.tensors), count, total, keySplitTensors)
	}
	return nil
}

// checkSplit holds a file's own split keys against its place in the row.
func checkSplit(path string, kv map[string]any, no, count int) error {
	f := &File{kv: kv}
	for _, k := range []struct {
		key  string
		want int
	}{{keySplitNo, no}, {keySplitCount, count}} {
		got, ok, err := f.Uint(k.key)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if !ok || got != uint64(k.want) {
			return fail(ErrSplit, "%s: key %q: expected %d, found %v", path, k.key, k.want, kv[k.key])
		}
	}
	return nil
}
