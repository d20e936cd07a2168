package tokenizer

import (
	"fmt"
	"strings"
)

// Tokenizer maps text to token ids and back. It never changes and may be used by many goroutines at once.
type Tokenizer struct {
	vocab   *vocab
	classes *classes

	early *matcher // added tokens, looked for in the text as it is
	late  *matcher // and in the normalised text
	norm  []normalizer
	lead  lead
	split []stage
	model model

	bos, eos       int32 // -1: none
	prefix, suffix []int32
	eog            map[int32]bool
	dropSpace      bool // decoding drops the space that encoding put before the text
}

// normalizer rewrites the text between added tokens.
type normalizer func(string) string

// lead is what the pre-tokenizer puts before a text that does not begin with it.
type lead struct {
	text      string
	firstOnly bool // only at the very start, not after added tokens
}

// stage cuts text into words by a scanner.
type stage struct {
	scanner
	dropRest bool // what does not match is dropped; otherwise it is a word too
}

// VocabSize returns the number of ids, some of which may be unused: ids go from 0 to VocabSize-1. A model may have more rows of
// embedding than that.
func (t *Tokenizer) VocabSize() int { return len(t.vocab.kind) }

// BOS returns the token that begins a text, if there is one.
func (t *Tokenizer) BOS() (int32, bool) { return max(t.bos, 0), t.bos >= 0 }

// EOS returns the token that ends a text, if there is one.
func (t *Tokenizer) EOS() (int32, bool) { return max(t.eos, 0), t.eos >= 0 }

// EOG reports whether a model that emits id has finished: the end of the text, of its turn or of its message.
func (t *Tokenizer) EOG(id int32) bool { return t.eog[id] }

// ID returns the token with a spelling as the file has it, such as "Ġthe" or "<|im_end|>".
func (t *Tokenizer) ID(token string) (int32, bool) { return t.vocab.id(token) }

// Token returns the spelling of a token as the file has it, the inverse of [Tokenizer.ID], and "" for an id without a token.
func (t *Tokenizer) Token(id int32) string {
	if !t.vocab.has(id) {
		return ""
	}
	return t.vocab.spell(id)
}

// Special reports whether id is a marker, no text: Decode leaves it out on demand, Encode finds it on demand.
func (t *Tokenizer) Special(id int32) bool { return t.vocab.has(id) && t.vocab.kind[id].special() }

// Piece returns the bytes that a token stands for, which may be part of a character. The error wraps [ErrToken].
func (t *Tokenizer) Piece(id int32) ([]byte, error) {
	if !t.vocab.has(id) {
		return nil, fmt.Errorf("%w: id %d, the vocabulary has %d", ErrToken, id, t.VocabSize())
	}
	return t.vocab.appendPiece(nil, id), nil
}

// setBounds fixes the tokens that begin and end a text: bos and eos, or -1, and what Encode adds on demand.
func (t *Tokenizer) setBounds(bos, eos int32, prefix, suffix []int32) {
	t.bos, t.eos, t.prefix, t.suffix = bos, eos, prefix, suffix
	find := func(name string) int32 { return t.vocab.names.find(t.vocab.text, name) }
	t.eog = make(map[int32]bool)
	for _, name := range strings.Fields(endOfGeneration) {
		if id := find(name); id >= 0 {
			t.eog[id] = true
		}
	}
	if find("<|return|>") >= 0 && find("<|call|>") >= 0 { // the harmony format: <|end|> ends a message, and the next may follow
		delete(t.eog, find("<|end|>"))
	}
	if eos >= 0 {
		t.eog[eos] = true
	}
}

// endOfGeneration lists the added tokens that end a turn in the formats of the families.
const endOfGeneration = `</s> <eos> <EOT> _<EOT> [EOS] [EOT] [e~[ <|EOT|> <end_of_turn> <end_of_utterance> <|call|> <|end_of_text|>
	<|end_of_sentence|> <|end|> <|endoftext|> <|eom_id|> <|eot_id|> <|eot|> <|im_end|> <|return|> <｜end▁of▁sentence｜>`
