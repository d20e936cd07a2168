package tokenizer

import "strings"

// prepend returns a normalizer that puts text before.
func prepend(text string) normalizer {
	return func(s string) string {
		if s == "" {
			return s
		}
		return text + s
	}
}

// replace returns a normalizer that replaces every old by new.
func replace(old, new string) normalizer {
	return func(s string) string { return strings.ReplaceAll(s, old, new) }
}

// collapse drops spaces at both ends and makes one of every run of them: SentencePiece's remove_extra_whitespaces.
func collapse(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
}
