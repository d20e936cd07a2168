package mmap

import "unsafe"

// Offset says where in the file b lies, if it is a part of Bytes.
func (f *File) Offset(b []byte) (off int64, ok bool) {
	all := f.Bytes()
	// Addresses are compared, never turned back into pointers.
	start, at := uintptr(unsafe.Pointer(unsafe.SliceData(all))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	if len(b) == 0 || at < start || at-start > uintptr(len(all)) || uintptr(len(b)) > uintptr(len(all))-(at-start) {
		return 0, false
	}
	return int64(at - start), true
}
