package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/coterie-go/coterie/internal/mmap"
)

// Open maps a .safetensors file, or all the shards that an index (a file named
// *.index.json) lists, or the checkpoint in a hub directory: its
// model.safetensors.index.json if there is one, else its model.safetensors.
// Shards lie in the directory of their index and nowhere else.
func Open(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		if path, err = inDirectory(path); err != nil {
			return nil, err
		}
	}
	f := &File{}
	if strings.HasSuffix(path, indexSuffix) {
		err = f.openIndex(path)
	} else if err = f.add(path); err == nil {
		if err = f.sort(); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func inDirectory(dir string) (string, error) {
	for _, name := range []string{indexName, singleName} {
		path := filepath.Join(dir, name)
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s: neither %s nor %s: %w", dir, indexName, singleName, fs.ErrNotExist)
}

// add maps and parses one more file.
func (f *File) add(path string) error {
	m, err := mmap.Open(path)
	if err != nil {
		return err
	}
	f.shards = append(f.shards, m)
	f.data = append(f.data, m.Bytes())
	err = mmap.Guard(func() error {
		metadata, err := f.parse(m.Bytes(), len(f.shards)-1)
		if len(f.shards) == 1 {
			f.metadata = metadata
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
