package tokenizer

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file is the judge of the scanners: a plain backtracking matcher for the dialect that the patterns are written in. It is slow, and
// built on package unicode alone.

// matchFunc matches at s[i:] and calls next with the end of every match, most wanted first, until next accepts one.
type matchFunc func(s string, i int, next func(int) bool) bool

type regexpParser struct {
	p    string
	fold bool
}

// compile panics if the pattern is beyond the dialect.
func compile(pattern string) matchFunc {
	r := &regexpParser{p: pattern}
	m := r.alternatives()
	if r.p != "" {
		panic("left over: " + r.p)
	}
	return m
}

func (r *regexpParser) accept(s string) bool {
	ok := strings.HasPrefix(r.p, s)
	if ok {
		r.p = r.p[len(s):]
	}
	return ok
}

func (r *regexpParser) char() rune {
	c, n := utf8.DecodeRuneInString(r.p)
	r.p = r.p[n:]
	return c
}

func (r *regexpParser) alternatives() matchFunc {
	list := []matchFunc{r.sequence()}
	for r.accept("|") {
		list = append(list, r.sequence())
	}
	return func(s string, i int, next func(int) bool) bool {
		for _, m := range list {
			if m(s, i, next) {
				return true
			}
		}
		return false
	}
}

func (r *regexpParser) sequence() matchFunc {
	m := func(s string, i int, next func(int) bool) bool { return next(i) }
	for r.p != "" && r.p[0] != '|' && r.p[0] != ')' {
		first, second := m, r.repeated()
		m = func(s string, i int, next func(int) bool) bool {
			return first(s, i, func(j int) bool { return second(s, j, next) })
		}
	}
	return m
}

func (r *regexpParser) repeated() matchFunc {
	m := r.atom()
	lo, hi := 1, 1
	switch {
	case r.accept("?"):
		lo = 0
	case r.accept("*"):
		lo, hi = 0, 1<<30
	case r.accept("+"):
		hi = 1 << 30
	case r.accept("{1,3}"):
		hi = 3
	case r.accept("{1}"):
	}
	possessive := (lo != 1 || hi != 1) && r.accept("+")
	var times func(n int, s string, i int, next func(int) bool) bool
	times = func(n int, s string, i int, next func(int) bool) bool {
		if n < hi && m(s, i, func(j int) bool { return (j > i || hi == 1) && times(n+1, s, j, next) }) {
			return true
		}
		return n >= lo && next(i)
	}
	return func(s string, i int, next func(int) bool) bool {
		if !possessive {
			return times(0, s, i, next)
		}
		end := -1
		times(0, s, i, func(j int) bool { end = j; return true })
		return end >= 0 && next(end)
	}
}

func (r *regexpParser) atom() matchFunc {
	switch {
	case r.accept("(?i:"):
		outer := r.fold
		r.fold = true
		defer func() { r.fold = outer }()
		return r.group()
	case r.accept("(?:"):
		return r.group()
	case r.accept("(?!"):
		m := r.group()
		return func(s string, i int, next func(int) bool) bool {
			return !m(s, i, func(int) bool { return true }) && next(i)
		}
	case r.accept("$"):
		return func(s string, i int, next func(int) bool) bool { return i == len(s) && next(i) }
	}
	in := r.set()
	return func(s string, i int, next func(int) bool) bool {
		if i == len(s) {
			return false
		}
		c, n := utf8.DecodeRuneInString(s[i:])
		return in(c) && next(i+n)
	}
}

func (r *regexpParser) group() matchFunc {
	m := r.alternatives()
	if !r.accept(")") {
		panic("no ) before " + r.p)
	}
	return m
}

// set reads one character, escape or bracket expression.
func (r *regexpParser) set() func(rune) bool {
	if r.accept("[") {
		in := r.bracket()
		if !r.fold {
			return in
		}
		return func(c rune) bool { // c or what it folds with
			for d := unicode.SimpleFold(c); ; d = unicode.SimpleFold(d) {
				if in(d) {
					return true
				}
				if d == c {
					return false
				}
			}
		}
	}
	if in := r.class(); in != nil {
		return in
	}
	want := r.literal()
	if r.fold {
		return func(c rune) bool { return strings.EqualFold(string(c), string(want)) }
	}
	return func(c rune) bool { return c == want }
}

func (r *regexpParser) literal() rune {
	if r.accept(`\`) {
		switch c := r.char(); c {
		case 'r':
			return '\r'
		case 'n':
			return '\n'
		default:
			if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
				panic("unknown escape " + string(c))
			}
			return c
		}
	}
	return r.char()
}

// class reads \s, \S or \p{X}.
func (r *regexpParser) class() func(rune) bool {
	switch {
	case r.accept(`\s`):
		return func(c rune) bool { return unicode.Is(unicode.White_Space, c) }
	case r.accept(`\S`):
		return func(c rune) bool { return !unicode.Is(unicode.White_Space, c) }
	case r.accept(`\p{`):
		name, rest, _ := strings.Cut(r.p, "}")
		r.p = rest
		table := unicode.Categories[name]
		if table == nil {
			table = unicode.Scripts[name]
		}
		if table == nil {
			panic("unknown class " + name)
		}
		return func(c rune) bool { return unicode.Is(table, c) }
	}
	return nil
}

func (r *regexpParser) bracket() func(rune) bool {
	not := r.accept("^")
	var union []func(rune) bool
	also := func(rune) bool { return true }
	for !r.accept("]") {
		if r.accept("&&[") {
			also = r.bracket()
			continue
		}
		if in := r.class(); in != nil {
			union = append(union, in)
			continue
		}
		lo := r.literal()
		hi := lo
		if len(r.p) > 1 && r.p[0] == '-' && r.p[1] != ']' {
			r.p = r.p[1:]
			hi = r.literal()
		}
		union = append(union, func(c rune) bool { return lo <= c && c <= hi })
	}
	return func(c rune) bool {
		return also(c) && slices.ContainsFunc(union, func(in func(rune) bool) bool { return in(c) }) != not
	}
}

// splitBy cuts s by a pattern: the matches, and between them what has no match.
func splitBy(m matchFunc, s string) []string {
	var words []string
	rest := 0
	for i := 0; i < len(s); {
		end := -1
		m(s, i, func(j int) bool { end = j; return true })
		if end <= i {
			_, n := utf8.DecodeRuneInString(s[i:])
			i += n
			continue
		}
		if rest < i {
			words = append(words, s[rest:i])
		}
		words = append(words, s[i:end])
		i, rest = end, end
	}
	if rest < len(s) {
		words = append(words, s[rest:])
	}
	return words
}
