package grammar

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/moe/tokenizer"
	"github.com/coterie-go/coterie/quant"
)

// realVocabulary is one of 100,000 tokens, where it lies beside the project.
func realVocabulary(b *testing.B) *tokenizer.Tokenizer {
	const path = "../../../shared/vocab/ggml-vocab-deepseek-llm.gguf"
	if _, err := os.Stat(path); err != nil {
		b.Skip("no " + path)
	}
	f, err := gguf.Open(path, quant.SizeOf)
	require.NoError(b, err)
	b.Cleanup(func() { f.Close() })
	tok, err := tokenizer.FromGGUF(f.KV())
	require.NoError(b, err)
	return tok
}

func BenchmarkVocabulary(b *testing.B) {
	tok := realVocabulary(b)
	for b.Loop() {
		NewVocabulary(tok)
	}
}

// BenchmarkHook is the time a token that the constraint takes, over texts of 200
// random tokens each with a constraint of its own.
func BenchmarkHook(b *testing.B) {
	tok := realVocabulary(b)
	v := NewVocabulary(tok)
	for _, name := range []string{"string", "order", "anything"} {
		g, err := FromSchema([]byte(schemas[name]))
		require.NoError(b, err)
		b.Run(name, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			logits := make([]float32, tok.VocabSize())
			var ids []int32
			c := g.Constrain(v, 0)
			for b.Loop() {
				if len(ids) == 200 {
					c, ids = g.Constrain(v, 0), nil
				}
				clear(logits)
				if err := c.Hook(ids, logits); err != nil {
					b.Fatal(err)
				}
				id := rng.IntN(len(logits))
				for math.IsInf(float64(logits[id]), -1) {
					id = (id + 1) % len(logits)
				}
				if tok.EOG(int32(id)) {
					c, ids = g.Constrain(v, 0), nil
					continue
				}
				ids = append(ids, int32(id))
			}
		})
	}
}
