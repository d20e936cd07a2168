package moe

import "errors"

// Sentinels, for errors.Is. What is returned wraps them and says which, what was
// expected and what was found.
var (
	ErrFormat  = errors.New("moe: not a checkpoint that can be read")
	ErrFamily  = errors.New("moe: unknown model family")
	ErrConfig  = errors.New("moe: bad configuration")
	ErrTensor  = errors.New("moe: bad tensor") // missing, or of the wrong shape or type
	ErrToken   = errors.New("moe: token id out of range")
	ErrContext = errors.New("moe: context used up")
	ErrClosed  = errors.New("moe: model is closed")
	ErrState   = errors.New("moe: state belongs to another model or is in use")
	ErrNumber  = errors.New("moe: not a finite number")
	ErrFile    = errors.New("moe: file failed while in use")
	ErrSaved   = errors.New("moe: not a saved state of this model")
	ErrOption  = errors.New("moe: bad option")
	ErrBusy    = errors.New("moe: too many sequences wait") // see Scheduler
)
