package mmap

import "unsafe"

// Arena hands out memory outside the Go heap, which the collector does not count
// when it decides how large the heap may grow. The zero value is empty; a nil one
// takes memory from the heap. It serves one goroutine at a time.
type Arena struct {
	blocks map[*float32][]byte
	bytes  int64
}

// Floats returns n zeros, valid until Drop or Free, from the heap if the system has
// none.
func (a *Arena) Floats(n int) []float32 {
	if a == nil || n == 0 {
		return make([]float32, n)
	}
	b, err := Alloc(4 * n)
	if err != nil {
		return make([]float32, n)
	}
	p := (*float32)(unsafe.Pointer(unsafe.SliceData(b))) // aligned to a page
	if a.blocks == nil {
		a.blocks = make(map[*float32][]byte)
	}
	a.blocks[p] = b
	a.bytes += int64(len(b))
	return unsafe.Slice(p, n)
}

// Drop takes back what Floats returned. What did not come from the arena is left
// alone.
func (a *Arena) Drop(x []float32) {
	if a == nil {
		return
	}
	p := unsafe.SliceData(x)
	if b, ok := a.blocks[p]; ok {
		delete(a.blocks, p)
		a.bytes -= int64(len(b))
		Free(b)
	}
}

// Bytes returns how much has been handed out.
func (a *Arena) Bytes() int64 { return a.bytes }

// Free takes everything back.
func (a *Arena) Free() {
	for _, b := range a.blocks {
		Free(b)
	}
	*a = Arena{}
}
