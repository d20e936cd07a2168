package safetensors

import (
	"errors"
	"fmt"
)

// What a file may have wrong. Errors wrap one of these and name the tensor,
// what was expected and what was found.
var (
	ErrTruncated = errors.New("safetensors: truncated")
	ErrTooLarge  = errors.New("safetensors: too large")
	ErrHeader    = errors.New("safetensors: bad header")
	ErrDuplicate = errors.New("safetensors: duplicate")
	ErrType      = errors.New("safetensors: unknown dtype")
	ErrShape     = errors.New("safetensors: bad shape")
	ErrOffset    = errors.New("safetensors: bad offsets")
	ErrOverlap   = errors.New("safetensors: overlapping tensors")
	ErrGap       = errors.New("safetensors: bytes of no tensor")
	ErrIndex     = errors.New("safetensors: bad index")
)

// fail wraps a sentinel with what it concerns and what was found.
func fail(sentinel error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", sentinel, fmt.Sprintf(format, args...))
}

// brief quotes a name from the file for a message, the first 100 bytes of it.
func brief(s string) string {
	if len(s) > 100 {
		return fmt.Sprintf("%q...", s[:100])
	}
	return fmt.Sprintf("%q", s)
}
