package tokenizer

import "strings"

// deepseek3 is the last of the three patterns of DeepSeek-V3 (and V2), after numbers and Chinese and Japanese have been cut out:
//
//	[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
type deepseek3 struct{}

func (deepseek3) scan(c *classes, s string) (int, bool) {
	if isASCIIPunct(s[0]) {
		i := 1
		for i < len(s) && isASCIILetter(s[i]) {
			i++
		}
		if i > 1 {
			return i, true
		}
	}
	k, n := c.at(s, 0)
	if k&(letter|mark) != 0 {
		return c.run(s, n, letter|mark, 0), true
	}
	if k&(punct|symbol) == 0 && !isBreak(s[0]) && n < len(s) {
		if k, _ := c.at(s, n); k&(letter|mark) != 0 {
			return c.run(s, n, letter|mark, 0), true
		}
	}
	i := 0
	if s[0] == ' ' {
		i = 1
	}
	if end := c.run(s, i, punct|symbol, 0); end > i {
		return tail(s, end, "\r\n"), true
	}
	return blank(c, s)
}

func isASCIIPunct(b byte) bool {
	return b >= '!' && b <= '/' || b >= ':' && b <= '@' || b >= '[' && b <= '`' || b >= '{' && b <= '~'
}

func isASCIILetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

// spaced is \s?X+ for a class X.
type spaced struct{ in class }

func (p spaced) scan(c *classes, s string) (int, bool) {
	i := 0
	if k, n := c.at(s, 0); k&space != 0 {
		i = n
	}
	if end := c.run(s, i, p.in, 0); end > i {
		return end, true
	}
	return skip(s)
}

// blankEnd is \s+$, in texts without line breaks.
type blankEnd struct{}

func (blankEnd) scan(c *classes, s string) (int, bool) {
	n := c.run(s, 0, space, 0)
	if n == 0 {
		return skip(s)
	}
	return n, n == len(s)
}

// oneBreak is [\r\n].
type oneBreak struct{}

func (oneBreak) scan(c *classes, s string) (int, bool) {
	if i := strings.IndexAny(s, "\r\n"); i != 0 {
		if i < 0 {
			i = len(s)
		}
		return i, false
	}
	return 1, true
}
