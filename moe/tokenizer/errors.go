package tokenizer

import "errors"

// Errors of this package wrap one of these. The message names the field at fault, what was expected and what was found.
var (
	ErrFormat       = errors.New("tokenizer: malformed")             // the file contradicts itself or its format
	ErrPreTokenizer = errors.New("tokenizer: unknown pre-tokenizer") // a pattern or name that no scanner exists for
	ErrUnsupported  = errors.New("tokenizer: unsupported")           // a model, normalizer, decoder or post-processor not implemented
	ErrNoTokenizer  = errors.New("tokenizer: the file has none")     // a file that says it carries no tokenizer
	ErrToken        = errors.New("tokenizer: no such token")         // an id outside the vocabulary
)
