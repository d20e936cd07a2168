//go:build !linux

package mmap

func (f *File) readOnce(p []byte, off int64) (int, error) { return f.ReadAt(p, off) }

func (f *File) readCached([]byte, int64) int { return 0 }

func unload([]byte) error { return nil }
