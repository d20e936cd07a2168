package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// scanner is one regular expression of a pre-tokenizer, matched at the start of s, which is not empty. It returns how many bytes
// match, or, with ok false, how many to pass over because no match starts within them; n is at least 1. The whole text is cut by
// repeated calls, so a scanner must not read far beyond what it returns more than a constant number of times.
type scanner interface {
	scan(c *classes, s string) (n int, ok bool)
}

// blank matches at white space: \s*[\r\n]+|\s+(?!\S)|\s+ . Of a run of blanks, what goes up to its last line break is one match; without
// line breaks, all but the last blank, which belongs to the word that follows.
func blank(c *classes, s string) (n int, ok bool) {
	var end, last, line int
	for end < len(s) {
		k, w := c.at(s, end)
		if k&space == 0 {
			break
		}
		last = end
		end += w
		if b := s[end-1]; b == '\n' || b == '\r' {
			line = end
		}
	}
	switch {
	case end == 0:
		return skip(s)
	case line > 0:
		return line, true
	case end == len(s) || last == 0:
		return end, true
	}
	return last, true
}

// skip passes over one character.
func skip(s string) (int, bool) {
	_, n := utf8.DecodeRuneInString(s)
	return n, false
}

// contraction matches (?i:'s|'t|'re|'ve|'m|'ll|'d), with the long s that folds to s, and returns 0 or the length.
func contraction(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	switch s[1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if len(s) > 2 && s[2]|0x20 == 'e' {
			return 3
		}
	case 'l':
		if len(s) > 2 && s[2]|0x20 == 'l' {
			return 3
		}
	}
	if strings.HasPrefix(s[1:], "ſ") {
		return 1 + len("ſ")
	}
	return 0
}

// tail returns the end of the run from s[i:] of bytes of set.
func tail(s string, i int, set string) int {
	for i < len(s) && strings.IndexByte(set, s[i]) >= 0 {
		i++
	}
	return i
}

func isBreak(b byte) bool { return b == '\n' || b == '\r' }

// few returns the end of a run of at most limit numbers.
func few(c *classes, s string, limit int) int {
	i := 0
	for ; limit > 0 && i < len(s); limit-- {
		k, n := c.at(s, i)
		if k&number == 0 {
			break
		}
		i += n
	}
	return i
}

// lastLen returns the length of the last character of s.
func lastLen(s string) int {
	_, n := utf8.DecodeLastRuneInString(s)
	return n
}
