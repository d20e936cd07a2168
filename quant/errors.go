package quant

import "errors"

// Errors are wrapped with the type, what was expected and what was found.
var (
	ErrType   = errors.New("quant: unknown type")
	ErrLength = errors.New("quant: length does not fit")
	ErrScale  = errors.New("quant: scale is not finite")
	ErrValue  = errors.New("quant: value is not finite")
	ErrCodec  = errors.New("quant: type cannot be converted")
)
