package moetest

import (
	_ "embed"

	"github.com/coterie-go/coterie/moe"
)

// tale.gguf is written by examples/convert from the hub checkpoint, in q8_0.
//
//go:embed tale.gguf
var tale []byte

// Tale opens the embedded model: 9 million parameters, trained on public-domain
// fairy tales, built like DeepSeek-V3 (5 layers, latent attention, 16 experts in 4
// groups, 4 chosen from 2 groups, 1 shared), with a tokenizer of 2,048 tokens. It
// opens in a few milliseconds. Close it when done.
func Tale(opts ...moe.Option) (*moe.Model, error) { return moe.OpenBytes(tale, opts...) }
