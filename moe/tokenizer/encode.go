package tokenizer

import "strings"

// Encode returns the ids of text. With addSpecial, the ids are put between what the file says begins and ends a text. With
// parseSpecial, special tokens spelled out in the text become their ids; without, they are text like any other, which is what input
// from strangers needs. Added tokens that are not special always become their ids.
func (t *Tokenizer) Encode(text string, addSpecial, parseSpecial bool) []int32 {
	return t.AppendEncode(nil, text, addSpecial, parseSpecial)
}

// AppendEncode appends to dst what [Tokenizer.Encode] returns.
func (t *Tokenizer) AppendEncode(dst []int32, text string, addSpecial, parseSpecial bool) []int32 {
	if addSpecial {
		dst = append(dst, t.prefix...)
	}
	for at := 0; at < len(text); {
		token, start, end := t.early.next(text, at, parseSpecial)
		if start > at {
			dst = t.appendSection(dst, text[at:start], at == 0, parseSpecial)
		}
		if token != nil {
			dst = append(dst, token.id)
		}
		at = end
	}
	if addSpecial {
		dst = append(dst, t.suffix...)
	}
	return dst
}

// appendSection encodes what stands between two early added tokens.
func (t *Tokenizer) appendSection(dst []int32, text string, first, parseSpecial bool) []int32 {
	for _, f := range t.norm {
		text = f(text)
	}
	for at := 0; at < len(text); {
		token, start, end := t.late.next(text, at, parseSpecial)
		if start > at {
			s := text[at:start]
			if l := t.lead; l.text != "" && (!l.firstOnly || first && at == 0) && !strings.HasPrefix(s, l.text) {
				s = l.text + s
			}
			dst = t.appendWords(dst, t.split, s)
		}
		if token != nil {
			dst = append(dst, token.id)
		}
		at = end
	}
	return dst
}

// appendWords cuts text by the first stage, what comes out by the next, and encodes the words of the last.
func (t *Tokenizer) appendWords(dst []int32, stages []stage, text string) []int32 {
	if len(stages) == 0 {
		return t.model.appendWord(dst, text)
	}
	rest := 0 // text[rest:i] has no match
	for i := 0; i < len(text); {
		n, ok := stages[0].scan(t.classes, text[i:])
		if ok {
			if rest < i && !stages[0].dropRest {
				dst = t.appendWords(dst, stages[1:], text[rest:i])
			}
			dst = t.appendWords(dst, stages[1:], text[i:i+n])
			rest = i + n
		}
		i += n
	}
	if rest < len(text) && !stages[0].dropRest {
		dst = t.appendWords(dst, stages[1:], text[rest:])
	}
	return dst
}
