package tokenizer

import (
	"unicode/utf8"
)

// Decode returns the text of ids: always valid UTF-8, with U+FFFD for what is not, a mark for each maximal part of a character as the
// Unicode Standard (section 3.9) recommends. With special, special tokens are spelled out; without, they are left out. Ids without a
// token are passed over. The bytes of single tokens are to be had from [Tokenizer.Piece].
func (t *Tokenizer) Decode(ids []int32, special bool) string {
	d := t.NewDecoder(special)
	var out []byte
	for _, id := range ids {
		out = d.append(out, id)
	}
	return string(d.flush(out))
}

// Decoder decodes token by token. The strings that Next and Flush return, put together, are what [Tokenizer.Decode] returns for all the
// ids; each is valid UTF-8 and ends between characters. A Decoder is not for concurrent use.
//
// In SentencePiece vocabularies the first token of a text carries a space that is not in the text, and Decode drops it. To decode what
// continues a prompt, pass the prompt's ids to Next first and ignore the strings.
type Decoder struct {
	t       *Tokenizer
	special bool
	started bool   // the first text has been seen
	held    []byte // the beginning of a character
}

// NewDecoder returns a decoder of a new text. Special tokens are spelled out if special is true and left out otherwise.
func (t *Tokenizer) NewDecoder(special bool) *Decoder {
	return &Decoder{t: t, special: special}
}

// Next returns the text that id completes, "" if that is less than a character.
func (d *Decoder) Next(id int32) string {
	var buf [64]byte
	return string(d.append(buf[:0], id))
}

// Flush returns what is held back, as U+FFFD, and makes the decoder ready for a new text.
func (d *Decoder) Flush() string { return string(d.flush(nil)) }

func (d *Decoder) append(dst []byte, id int32) []byte {
	v := d.t.vocab
	if !v.has(id) || v.kind[id].special() && !d.special {
		return dst
	}
	n := len(d.held)
	d.held = v.appendPiece(d.held, id)
	if len(d.held) == n {
		return dst
	}
	if !d.started {
		d.started = true
		if d.t.dropSpace && d.held[0] == ' ' {
			d.held = d.held[1:]
		}
	}
	i := 0
	for i < len(d.held) {
		r, n := utf8.DecodeRune(d.held[i:])
		if r == utf8.RuneError && n == 1 {
			if !utf8.FullRune(d.held[i:]) {
				break
			}
			n = invalidLen(d.held[i:])
			dst = append(dst, "\uFFFD"...)
		} else {
			dst = append(dst, d.held[i:i+n]...)
		}
		i += n
	}
	d.held = append(d.held[:0], d.held[i:]...)
	return dst
}

func (d *Decoder) flush(dst []byte) []byte {
	if len(d.held) > 0 {
		dst = append(dst, "\uFFFD"...)
	}
	d.held, d.started = d.held[:0], false
	return dst
}

// invalidLen returns the length of the longest beginning of p, which does not begin with a character, that could begin one; at least 1.
func invalidLen(p []byte) int {
	n := 1
	for n < len(p) && n < utf8.UTFMax && !utf8.FullRune(p[:n]) {
		n++
	}
	// p[:n] is complete, and wrong by its last byte; a first byte that is wrong by itself stands alone.
	return max(n-1, 1)
}
