package mmap

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"unsafe"
)

// ErrFault reports that mapped memory could not be read: the file was
// truncated under the mapping, or its storage failed.
var ErrFault = errors.New("mmap: memory fault (file truncated, or storage failed)")

// FaultError is an ErrFault with the address that could not be read.
type FaultError struct{ Addr uintptr }

func (e *FaultError) Error() string { return fmt.Sprintf("%v at address %#x", ErrFault, e.Addr) }
func (e *FaultError) Unwrap() error { return ErrFault }

// Guard runs fn and returns its error, or a *FaultError if fn touched memory
// that could not be read. Other panics, nil dereferences among them, pass
// through.
//
// The protection covers the calling goroutine alone: every goroutine that
// reads mapped memory needs a Guard of its own. What fn was writing when the
// fault came is left half written, and locks that it took without defer stay
// taken.
func Guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		r := recover()
		if r == nil {
			return
		}
		// Only a fault at a real address has Addr; a nil dereference has not.
		fault, ok := r.(interface {
			runtime.Error
			Addr() uintptr
		})
		if !ok {
			panic(r)
		}
		err = &FaultError{Addr: fault.Addr()}
	}()
	return fn()
}

// Holds reports whether addr lies in the mapping, so that the file behind a
// FaultError can be named.
func (f *File) Holds(addr uintptr) bool {
	b := f.Bytes()
	// The address is compared, never turned back into a pointer.
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return len(b) > 0 && addr >= start && addr-start < uintptr(len(b))
}
