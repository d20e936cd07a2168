package grammar

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxSource = 1 << 20

// Parse reads a grammar in GBNF: rules name ::= alternatives, of "texts", [classes]
// of characters, names of rules, and groups in parentheses, repeated by *, +, ? or
// {m,n}; # begins a comment. The text is what rule root allows. A rule may not call
// itself before it has read something.
func Parse(src string) (*Grammar, error) {
	if len(src) > maxSource {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrGrammar, len(src), maxSource)
	}
	p := &gbnf{src: src, rules: map[string]expr{}}
	p.space(true)
	for p.i < len(src) {
		if err := p.rule(); err != nil {
			line := 1 + strings.Count(src[:min(p.i, len(src))], "\n")
			return nil, fmt.Errorf("%w: line %d: %w", ErrGrammar, line, err)
		}
	}
	return compile(p.rules, p.order)
}

type gbnf struct {
	src   string
	i     int
	depth int
	rules map[string]expr
	order []string
}

func (p *gbnf) peek() byte {
	if p.i < len(p.src) {
		return p.src[p.i]
	}
	return 0
}

// space skips white space and comments; over the ends of lines only if asked to.
func (p *gbnf) space(lines bool) {
	for p.i < len(p.src) {
		switch c := p.src[p.i]; {
		case c == '#':
			for p.i < len(p.src) && p.src[p.i] != '\n' {
				p.i++
			}
		case c == ' ' || c == '\t' || lines && (c == '\n' || c == '\r'):
			p.i++
		default:
			return
		}
	}
}

func (p *gbnf) name() (string, error) {
	from := p.i
	for c := p.peek(); c == '-' || c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'; c = p.peek() {
		p.i++
	}
	if p.i == from {
		return "", p.unexpected("a name")
	}
	return p.src[from:p.i], nil
}

func (p *gbnf) unexpected(want string) error {
	if p.i >= len(p.src) {
		return fmt.Errorf("want %s, found the end", want)
	}
	r, _ := utf8.DecodeRuneInString(p.src[p.i:])
	return fmt.Errorf("want %s, found %q", want, r)
}

func (p *gbnf) rule() error {
	name, err := p.name()
	if err != nil {
		return err
	}
	if _, ok := p.rules[name]; ok {
		return fmt.Errorf("rule %s is there twice", name)
	}
	p.space(false)
	if !strings.HasPrefix(p.src[p.i:], "::=") {
		return p.unexpected(`"::="`)
	}
	p.i += 3
	p.space(true)
	e, err := p.alternatives(false)
	if err != nil {
		return err
	}
	p.rules[name] = e
	p.order = append(p.order, name)
	if c := p.peek(); p.i < len(p.src) && c != '\n' && c != '\r' {
		return p.unexpected("the end of the line")
	}
	p.space(true)
	return nil
}

// alternatives reads a | b; within parentheses lines may end anywhere.
func (p *gbnf) alternatives(nested bool) (expr, error) {
	if p.depth++; p.depth > 200 {
		return nil, fmt.Errorf("nested too deeply")
	}
	defer func() { p.depth-- }()
	var list alt
	for {
		e, err := p.sequence(nested)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		if p.peek() != '|' {
			break
		}
		p.i++
		p.space(true)
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

func (p *gbnf) sequence(nested bool) (expr, error) {
	var list seq
	for {
		var e expr
		var err error
		switch c := p.peek(); {
		case c == '"':
			e, err = p.text()
		case c == '[':
			e, err = p.class()
		case c == '.':
			p.i++
			e = invert(nil)
		case c == '(':
			p.i++
			p.space(true)
			if e, err = p.alternatives(true); err == nil {
				if p.peek() != ')' {
					err = p.unexpected(`")"`)
				}
				p.i++
			}
		case c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z':
			var name string
			name, err = p.name()
			e = ref(name)
		default:
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		p.space(nested)
		if e, err = p.repeats(e, nested); err != nil {
			return nil, err
		}
		list = append(list, e)
	}
}

// repeats reads the marks of repetition behind e.
func (p *gbnf) repeats(e expr, nested bool) (expr, error) {
	for {
		r := repeat{e, 0, -1}
		switch p.peek() {
		case '*':
		case '+':
			r.min = 1
		case '?':
			r.max = 1
		case '{':
			end := strings.IndexByte(p.src[p.i:], '}')
			if end < 0 {
				return nil, fmt.Errorf("repetition without an end")
			}
			lo, hi, two := strings.Cut(p.src[p.i+1:p.i+end], ",")
			lo, hi = strings.TrimSpace(lo), strings.TrimSpace(hi)
			var err error
			if r.min, err = strconv.Atoi(lo); err != nil || r.min < 0 {
				return nil, fmt.Errorf("repetition: want a number, found %q", lo)
			}
			switch {
			case !two:
				r.max = r.min
			case hi != "":
				if r.max, err = strconv.Atoi(hi); err != nil || r.max < r.min {
					return nil, fmt.Errorf("repetition: want a number from %d, found %q", r.min, hi)
				}
			}
			if max(r.min, r.max) > maxStates {
				return nil, fmt.Errorf("repetition: want at most %d, found %q", maxStates, p.src[p.i:p.i+end+1])
			}
			p.i += end
		default:
			return e, nil
		}
		p.i++
		p.space(nested)
		e = r
	}
}

func (p *gbnf) text() (expr, error) {
	p.i++
	var b strings.Builder
	for {
		switch {
		case p.i >= len(p.src) || p.peek() == '\n':
			return nil, fmt.Errorf("text without an end")
		case p.peek() == '"':
			p.i++
			return literal(b.String()), nil
		}
		r, err := p.char()
		if err != nil {
			return nil, err
		}
		b.WriteRune(r)
	}
}

func (p *gbnf) class() (expr, error) {
	p.i++
	not := p.peek() == '^'
	if not {
		p.i++
	}
	var c class
	for p.peek() != ']' {
		if p.i >= len(p.src) {
			return nil, fmt.Errorf("class without an end")
		}
		lo, err := p.char()
		if err != nil {
			return nil, err
		}
		hi := lo
		if p.peek() == '-' && p.i+1 < len(p.src) && p.src[p.i+1] != ']' {
			p.i++
			if hi, err = p.char(); err != nil {
				return nil, err
			}
		}
		if hi < lo {
			return nil, fmt.Errorf("class: %q to %q", lo, hi)
		}
		c = append(c, span{lo, hi})
	}
	p.i++
	if not {
		c = invert(c)
	}
	return c, nil
}

// char reads a character, or an escape.
func (p *gbnf) char() (rune, error) {
	r, n := utf8.DecodeRuneInString(p.src[p.i:])
	if r == utf8.RuneError && n <= 1 {
		return 0, fmt.Errorf("not UTF-8")
	}
	p.i += n
	if r != '\\' {
		return r, nil
	}
	c := p.peek()
	p.i++
	digits := 0
	switch c {
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case '\\', '"', '[', ']', '-', '^':
		return rune(c), nil
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		return 0, fmt.Errorf("escape \\%c", c)
	}
	if p.i+digits > len(p.src) {
		return 0, fmt.Errorf("escape without %d digits", digits)
	}
	v, err := strconv.ParseUint(p.src[p.i:p.i+digits], 16, 32)
	if err != nil || v > utf8.MaxRune {
		return 0, fmt.Errorf("escape: want a character, found %q", p.src[p.i:p.i+digits])
	}
	p.i += digits
	return rune(v), nil
}
