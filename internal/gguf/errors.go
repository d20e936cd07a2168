package gguf

import (
	"errors"
	"fmt"
)

// What a file may have wrong. Errors wrap one of these and name the tensor or
// key, what was expected and what was found.
var (
	ErrMagic     = errors.New("gguf: not a GGUF file")
	ErrVersion   = errors.New("gguf: unsupported version")
	ErrTruncated = errors.New("gguf: truncated")
	ErrTooLarge  = errors.New("gguf: too large")
	ErrName      = errors.New("gguf: bad name")
	ErrDuplicate = errors.New("gguf: duplicate")
	ErrType      = errors.New("gguf: wrong type")
	ErrValue     = errors.New("gguf: bad value")
	ErrShape     = errors.New("gguf: bad shape")
	ErrAlignment = errors.New("gguf: bad alignment")
	ErrOverlap   = errors.New("gguf: overlapping tensors")
	ErrSplit     = errors.New("gguf: bad split")
)

// fail wraps a sentinel with what it concerns and what was found.
func fail(sentinel error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", sentinel, fmt.Sprintf(format, args...))
}

// TypeError is the ErrType of a tensor whose type the caller's SizeFunc does not
// know.
type TypeError struct{ ID uint32 }

func (e TypeError) Error() string {
	return fmt.Sprintf("%v: type id %d is unknown or was removed from the format", ErrType, e.ID)
}

func (e TypeError) Unwrap() error { return ErrType }

// brief quotes a name from the file for a message, the first 64 bytes of it.
func brief(s string) string {
	if len(s) > maxName {
		return fmt.Sprintf("%q...", s[:maxName])
	}
	return fmt.Sprintf("%q", s)
}
