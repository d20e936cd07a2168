package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// before cuts before every text: each match is what reaches from one to the next.
type before struct{ text string }

func (p before) scan(_ *classes, s string) (int, bool) {
	from := 0
	if strings.HasPrefix(s, p.text) {
		from = len(p.text)
	}
	if i := strings.Index(s[from:], p.text); i >= 0 {
		return from + i, true
	}
	return len(s), true
}

// after cuts after every text.
type after struct{ text string }

func (p after) scan(_ *classes, s string) (int, bool) {
	if i := strings.Index(s, p.text); i >= 0 {
		return i + len(p.text), true
	}
	return len(s), true
}

// marks is a run of up to limit punctuation marks: general ones and all of ASCII's, such as $ and +.
type marks struct{ limit int }

func (p marks) scan(c *classes, s string) (int, bool) {
	is := func(i int) (bool, int) {
		k, n := c.at(s, i)
		return k&punct != 0 || k&symbol != 0 && s[i] < utf8.RuneSelf, n
	}
	i, found := 0, 0
	want, _ := is(0)
	for i < len(s) && (!want || found < p.limit) {
		yes, n := is(i)
		if yes != want {
			break
		}
		i += n
		found++
	}
	return i, want
}

// notBlank is \S+.
type notBlank struct{}

func (notBlank) scan(c *classes, s string) (int, bool) {
	if n := c.until(s, 0, space); n > 0 {
		return n, true
	}
	return c.run(s, 0, space, 0), false
}

// wordsAndSigns is \w+|[^\w\s]+ .
type wordsAndSigns struct{}

func (wordsAndSigns) scan(c *classes, s string) (int, bool) {
	if n := c.run(s, 0, space, 0); n > 0 {
		return n, false
	}
	var first bool
	for i, r := range s {
		if i == 0 {
			first = isWord(r)
		} else if c.of(r)&space != 0 || isWord(r) != first {
			return i, true
		}
	}
	return len(s), true
}

// spelledNumbers is \p{N}+ where every byte is spelled as GPT-2 does: besides digits, the bytes of Latin-1's superscripts and fractions.
type spelledNumbers struct{}

func (spelledNumbers) scan(_ *classes, s string) (int, bool) {
	want := isSpelledNumber(s[0])
	i := 1
	for i < len(s) && isSpelledNumber(s[i]) == want {
		i++
	}
	return i, want
}

func isSpelledNumber(b byte) bool {
	switch b {
	case 0xb2, 0xb3, 0xb9, 0xbc, 0xbd, 0xbe:
		return true
	}
	return b >= '0' && b <= '9'
}
