package mmap

// ReadOnce reads as ReadAt does and leaves the system's page cache as it found
// it, where the system can do that: what had to be fetched from storage is not
// kept. For bytes that the caller keeps itself.
func (f *File) ReadOnce(p []byte, off int64) (int, error) { return f.readOnce(p, off) }

// ReadCached reads what lies in the system's page cache of the bytes at off, from
// the first on, and returns how many those are. It never waits for storage; where
// the system cannot tell, it reads nothing.
func (f *File) ReadCached(p []byte, off int64) int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.closed {
		return 0
	}
	return f.readCached(p, off)
}

// Unload lets go of the pages of the mapping that this process holds. They stay
// in the page cache, and come back when they are touched.
func (f *File) Unload() error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.closed {
		return ErrClosed
	}
	if len(f.data) == 0 {
		return nil
	}
	return unload(f.data)
}
