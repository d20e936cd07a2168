package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// limitGroup sets how much memory a control group may take, page cache included.
// Version 2 of control groups calls it memory.max.
func limitGroup(dir string, bytes int64) error {
	for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
		if err := put(filepath.Join(dir, name), bytes); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("%s: want a control group with a memory controller", dir)
}

// put writes a number to a file that there is.
func put(path string, n int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.FormatInt(n, 10))
	return errors.Join(err, f.Close())
}

// joinGroup moves this process into a control group.
func joinGroup(dir string) error {
	return put(filepath.Join(dir, "cgroup.procs"), int64(os.Getpid()))
}
