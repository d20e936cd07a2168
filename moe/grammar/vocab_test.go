package grammar

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coterie-go/coterie/moe/tokenizer"
)

// spelled is GPT-2's alphabet: the character that stands for a byte.
func spelled(b byte) rune {
	n := rune(0)
	for x := range 256 {
		plain := x >= '!' && x <= '~' || x >= 0xa1 && x <= 0xac || x >= 0xae
		if x == int(b) {
			if plain {
				return rune(x)
			}
			return 256 + n
		}
		if !plain {
			n++
		}
	}
	panic("unreachable")
}

// testVocabulary is all bytes, and some longer tokens of the kind that cross what a
// grammar would like to see apart.
func testVocabulary(t testing.TB) (*tokenizer.Tokenizer, *Vocabulary) {
	vocab := map[string]int{}
	add := func(piece string) {
		s := ""
		for i := range len(piece) {
			s += string(spelled(piece[i]))
		}
		if _, ok := vocab[s]; !ok {
			vocab[s] = len(vocab)
		}
	}
	for b := range 256 {
		add(string([]byte{byte(b)}))
	}
	for _, p := range []string{`{"`, `":`, `", "`, `"}`, `"]`, `}}`, `]]`, `[[`, `,"`, `": "`, `": [`, `": {`, "\n  ", "\n    ", "  ", "true", "false", "null", " null", "name", "the", " the",
		"10", "12", "99", "0.5", "1e", `\"`, `\\`, `\u00`, "é", "ü", "日本", "🦊", "\xf0\x9f", "age", "id", "kind", `"kind`, "circle", "square", "and", "{\n", "[\n", "},\n", `"},{"`, "-1", "2024-", ":00", "Z"} {
		add(p)
	}
	end := len(vocab)
	data, err := json.Marshal(map[string]any{
		"model":         map[string]any{"type": "BPE", "vocab": vocab, "merges": []string{}},
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
		"decoder":       map[string]any{"type": "ByteLevel"},
		"added_tokens":  []any{map[string]any{"id": end, "content": "<|im_end|>", "special": true, "normalized": false}},
	})
	require.NoError(t, err)
	tok, err := tokenizer.FromJSON(data, []byte(`{"eos_token": "<|im_end|>"}`))
	require.NoError(t, err)
	require.True(t, tok.EOG(int32(end)))
	return tok, NewVocabulary(tok)
}

// babble writes a text of random tokens under a constraint: every token that is
// allowed is as likely as any other, the end of the text too.
func babble(t testing.TB, tok *tokenizer.Tokenizer, c *Constraint, rng *rand.Rand, limit int) (text string, tokens int, whole bool) {
	var ids []int32
	logits := make([]float32, tok.VocabSize()+3) // a model may have more rows than its tokenizer
	for len(ids) < limit {
		clear(logits)
		require.NoError(t, c.Hook(ids, logits))
		var open []int32
		for id, l := range logits {
			if !math.IsInf(float64(l), -1) {
				open = append(open, int32(id))
			}
		}
		require.NotEmpty(t, open, "nothing may follow %q", text)
		id := open[rng.IntN(len(open))]
		ids = append(ids, id)
		if tok.EOG(id) {
			return text, len(ids), true
		}
		p, err := tok.Piece(id)
		require.NoError(t, err)
		text += string(p)
	}
	return text, len(ids), c.m != nil && c.accept(ids[len(ids)-1]) == nil && c.Done()
}
