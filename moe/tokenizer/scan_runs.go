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

// charset is a set of characters.
type charset struct {
	ascii  [utf8.RuneSelf]bool
	ranges [][2]rune // sorted, first and last included
}

func (set *charset) has(r rune) bool {
	if r < utf8.RuneSelf {
		return set.ascii[r]
	}
	i, ok := slices.BinarySearchFunc(set.ranges, r, func(e [2]rune, r rune) int { return int(e[0] - r) })
	return ok || i > 0 && r <= set.ranges[i-1][1]
}

// run returns the end of the longest run from s[i:] of characters in the set.
func (set *charset) run(s string, i int) int {
	for j, r := range s[i:] {
		if !set.has(r) {
			return i + j
		}
	}
	return len(s)
}

// set is X+, or \s?X+, for a set X of characters.
type set struct {
	in     *charset
	spaced bool
}

// newSet reads a set as a regular expression writes it between brackets: characters and ranges.
func newSet(expr string, spaced bool) set {
	in := new(charset)
	for expr != "" {
		lo, n := utf8.DecodeRuneInString(expr)
		expr = expr[n:]
		hi := lo
		if len(expr) > 1 && expr[0] == '-' {
			hi, n = utf8.DecodeRuneInString(expr[1:])
			expr = expr[1+n:]
		}
		in.ranges = append(in.ranges, [2]rune{lo, hi})
		for r := lo; r <= min(hi, utf8.RuneSelf-1); r++ {
			in.ascii[r] = true
		}
	}
	slices.SortFunc(in.ranges, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	return set{in, spaced}
}

func (p set) scan(c *classes, s string) (int, bool) {
	if k, n := c.at(s, 0); p.spaced && k&space != 0 {
		if end := p.in.run(s, n); end > n {
			return end, true
		}
	}
	if end := p.in.run(s, 0); end > 0 {
		return end, true
	}
	for i, r := range s {
		if k := c.of(r); p.in.has(r) || p.spaced && k&space != 0 && i > 0 {
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
