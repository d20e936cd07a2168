package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	textToken   tokenKind = iota
	beginBlock            // {%
	endBlock              // %}
	beginOutput           // {{
	endOutput             // }}
	nameToken
	stringToken
	intToken
	floatToken
	opToken
)

type token struct {
	kind tokenKind
	text string
	line int
}

func (t token) String() string {
	if t.kind == textToken {
		return "text"
	}
	return strconv.Quote(t.text)
}

// lexer cuts a template into tokens.
type lexer struct {
	src       string
	i         int
	line      int
	toks      []token
	lineStart bool // what was last consumed ends in a newline
}

func lex(src string) []token {
	src = strings.ReplaceAll(src, "\r\n", "\n")
	src = strings.TrimSuffix(src, "\n")
	l := &lexer{src: src, line: 1, lineStart: true}
	for l.i < len(src) {
		l.data()
	}
	return l.toks
}

func (l *lexer) fail(format string, args ...any) {
	fail("line %d: %s", l.line, fmt.Sprintf(format, args...))
}

func (l *lexer) add(k tokenKind, text string) { l.toks = append(l.toks, token{k, text, l.line}) }

// skip consumes n bytes.
func (l *lexer) skip(n int) {
	s := l.src[l.i : l.i+n]
	l.line += strings.Count(s, "\n")
	l.lineStart = strings.HasSuffix(s, "\n")
	l.i += n
}

// data reads text up to a tag, and the tag.
func (l *lexer) data() {
	rest := l.src[l.i:]
	n := 0
	for {
		k := strings.IndexByte(rest[n:], '{')
		if k < 0 || n+k+1 >= len(rest) {
			l.text(rest)
			l.skip(len(rest))
			return
		}
		n += k
		if c := rest[n+1]; c == '%' || c == '{' || c == '#' {
			break
		}
		n++
	}
	text, tag := rest[:n], rest[n+1]
	sign := byte(0)
	if n+2 < len(rest) {
		sign = rest[n+2]
	}
	switch {
	case sign == '-':
		text = strings.TrimRightFunc(text, unicode.IsSpace)
	case sign != '+' && tag != '{': // a tag alone on its line: what is before it goes
		at := strings.LastIndexByte(text, '\n') + 1
		if (at > 0 || l.lineStart) && strings.TrimSpace(text[at:]) == "" {
			text = text[:at]
		}
	}
	l.text(text)
	l.skip(n + 2)
	if sign == '-' || sign == '+' && tag != '{' {
		l.skip(1)
	}
	switch tag {
	case '#':
		end := strings.Index(l.src[l.i:], "#}")
		if end < 0 {
			l.fail("comment without an end")
		}
		strip := end > 0 && l.src[l.i+end-1] == '-'
		l.skip(end + 2)
		l.after(strip, true)
	case '%':
		l.add(beginBlock, "{%")
		l.code("%}", endBlock)
		l.raw()
	case '{':
		l.add(beginOutput, "{{")
		l.code("}}", endOutput)
	}
}

func (l *lexer) text(s string) {
	if s != "" {
		l.add(textToken, s)
	}
}

// after consumes white space behind a tag: all, or one newline behind a block.
func (l *lexer) after(strip, block bool) {
	rest := l.src[l.i:]
	if strip {
		l.skip(len(rest) - len(strings.TrimLeftFunc(rest, unicode.IsSpace)))
	} else if block && strings.HasPrefix(rest, "\n") {
		l.skip(1)
	}
}

// raw reads {% raw %} ... {% endraw %} as text.
func (l *lexer) raw() {
	n := len(l.toks)
	if n < 3 || l.toks[n-2].kind != nameToken || l.toks[n-2].text != "raw" || l.toks[n-3].kind != beginBlock {
		return
	}
	l.toks = l.toks[:n-3]
	rest := l.src[l.i:]
	for at := 0; ; at++ {
		k := strings.Index(rest[at:], "{%")
		if k < 0 {
			l.fail("raw without endraw")
		}
		at += k
		in := strings.TrimLeft(rest[at+2:], "-+")
		in = strings.TrimLeftFunc(in, unicode.IsSpace)
		if !strings.HasPrefix(in, "endraw") {
			continue
		}
		text := rest[:at]
		if rest[at+2] == '-' {
			text = strings.TrimRightFunc(text, unicode.IsSpace)
		}
		l.text(text)
		l.skip(at + 2 + strings.Index(rest[at+2:], "endraw") + len("endraw"))
		m := len(l.toks)
		l.code("%}", endBlock)
		l.toks = l.toks[:m]
		return
	}
}

var operators = []string{"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ".", ":", "|"}

// code reads expression tokens up to the end of the tag.
func (l *lexer) code(end string, kind tokenKind) {
	braces := 0
	for {
		rest := l.src[l.i:]
		trimmed := strings.TrimLeftFunc(rest, unicode.IsSpace)
		l.skip(len(rest) - len(trimmed))
		rest = trimmed
		if rest == "" {
			l.fail("tag without an end")
		}
		if braces == 0 {
			sign := rest[0] == '-' || rest[0] == '+' && kind == endBlock
			if sign && strings.HasPrefix(rest[1:], end) || strings.HasPrefix(rest, end) {
				l.add(kind, end)
				strip := rest[0] == '-'
				l.skip(strings.Index(rest, end) + 2)
				l.after(strip, kind == endBlock && rest[0] != '+')
				return
			}
		}
		c := rest[0]
		switch {
		case c == '\'' || c == '"':
			l.str(rest)
		case c >= '0' && c <= '9':
			l.number(rest)
		case c == '_' || c >= utf8.RuneSelf || unicode.IsLetter(rune(c)):
			n := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
			if n < 0 {
				n = len(rest)
			}
			if n == 0 {
				l.fail("unexpected character %q", []rune(rest)[0])
			}
			l.add(nameToken, rest[:n])
			l.skip(n)
		default:
			op := ""
			for _, o := range operators {
				if strings.HasPrefix(rest, o) {
					op = o
					break
				}
			}
			switch op {
			case "":
				l.fail("unexpected character %q", c)
			case "{", "(", "[":
				braces++
			case "}", ")", "]":
				braces--
			}
			l.add(opToken, op)
			l.skip(len(op))
		}
	}
}

func (l *lexer) number(s string) {
	n, kind := 0, intToken
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '_') {
		n++
	}
	if n+1 < len(s) && s[n] == '.' && s[n+1] >= '0' && s[n+1] <= '9' {
		kind = floatToken
		for n++; n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '_'); n++ {
		}
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		m := n + 1
		if m < len(s) && (s[m] == '+' || s[m] == '-') {
			m++
		}
		if m < len(s) && s[m] >= '0' && s[m] <= '9' {
			kind = floatToken
			for n = m; n < len(s) && s[n] >= '0' && s[n] <= '9'; n++ {
			}
		}
	}
	l.add(kind, strings.ReplaceAll(s[:n], "_", ""))
	l.skip(n)
}

// str reads a string with Python's escapes.
func (l *lexer) str(s string) {
	quote := s[0]
	var b strings.Builder
	i := 1
	for {
		if i >= len(s) {
			l.fail("string without an end")
		}
		c := s[i]
		i++
		if c == quote {
			break
		}
		if c != '\\' {
			b.WriteByte(c)
			continue
		}
		if i >= len(s) {
			l.fail("string without an end")
		}
		e := s[i]
		i++
		digits := 0
		switch e {
		case '\n':
		case '\\', '\'', '"':
			b.WriteByte(e)
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'a', 'b', 'f', 'v':
			b.WriteByte("\a\b\f\v"[strings.IndexByte("abfv", e)])
		case 'x':
			digits = 2
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		case '0', '1', '2', '3', '4', '5', '6', '7':
			n := i
			for n < len(s) && n < i+2 && s[n] >= '0' && s[n] <= '7' {
				n++
			}
			v, _ := strconv.ParseUint(s[i-1:n], 8, 32)
			b.WriteRune(rune(v))
			i = n
		default:
			b.WriteByte('\\')
			b.WriteByte(e)
		}
		if digits > 0 {
			if i+digits > len(s) {
				l.fail("escape \\%c: want %d digits", e, digits)
			}
			v, err := strconv.ParseUint(s[i:i+digits], 16, 32)
			if err != nil {
				l.fail("escape \\%c: want %d hexadecimal digits, found %q", e, digits, s[i:i+digits])
			}
			b.WriteRune(rune(v))
			i += digits
		}
	}
	l.add(stringToken, b.String())
	l.skip(i)
}
