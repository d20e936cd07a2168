package tokenizer

import (
	"slices"
	"unicode/utf8"
)

// runs is \p{X}{1,limit} for a class X.
type runs struct {
	in    class
	limit int
}

func (p runs) scan(c *classes, s string) (int, bool) {
	end := 0
	for range p.limit {
		if end == len(s) {
			break
		}
		k, n := c.at(s, end)
		if k&p.in == 0 {
			break
		}
		end += n
	}
	if end == 0 {
		return c.until(s, 0, p.in), false
	}
	return end, true
}

// charset is a set of characters: ranges, sorted, first and last included.
type charset [][2]rune

func (set charset) has(r rune) bool {
	i, ok := slices.BinarySearchFunc(set, r, func(e [2]rune, r rune) int { return int(e[0] - r) })
	return ok || i > 0 && r <= set[i-1][1]
}

// set is X+, or \s?X+, for a set X of characters.
type set struct {
	in     charset
	spaced bool
}

// newSet reads a set as a regular expression writes it between brackets: characters and ranges.
func newSet(expr string, spaced bool) set {
	var in charset
	for expr != "" {
		lo, n := utf8.DecodeRuneInString(expr)
		expr = expr[n:]
		hi := lo
		if len(expr) > 1 && expr[0] == '-' {
			hi, n = utf8.DecodeRuneInString(expr[1:])
			expr = expr[1+n:]
		}
		in = append(in, [2]rune{lo, hi})
	}
	slices.SortFunc(in, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	return set{in, spaced}
}

func (p set) scan(c *classes, s string) (int, bool) {
	lead := 0
	if k, n := c.at(s, 0); p.spaced && k&space != 0 {
		lead = n
	}
	end := lead
	for i, r := range s[lead:] {
		if !p.in.has(r) {
			break
		}
		end = lead + i + utf8.RuneLen(r)
	}
	if end > lead {
		return end, true
	}
	if p.spaced {
		return skip(s)
	}
	for i, r := range s {
		if p.in.has(r) {
			return i, false
		}
	}
	return len(s), false
}

// threeDigits is [0-9][0-9][0-9].
type threeDigits struct{}

func (threeDigits) scan(_ *classes, s string) (int, bool) {
	for i := range min(3, len(s)) {
		if s[i] < '0' || s[i] > '9' {
			return skip(s)
		}
	}
	if len(s) < 3 {
		return len(s), false
	}
	return 3, true
}
