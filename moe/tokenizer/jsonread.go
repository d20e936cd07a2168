package tokenizer

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// reader reads JSON (RFC 8259) from front to back. Against encoding/json it sees duplicate keys, keeps the order of an object, and reads
// a vocabulary of 200,000 tokens without boxing every one. The first error sticks and ends every loop.
type reader struct {
	s     string
	i     int
	depth int
	err   error
}

// maxDepth is far beyond any real file.
const maxDepth = 64

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: at byte %d: %s", ErrFormat, r.i, fmt.Sprintf(format, args...))
	}
	r.i = len(r.s)
}

// peek returns the first byte of the next value, 0 at the end.
func (r *reader) peek() byte {
	for r.i < len(r.s) {
		switch b := r.s[r.i]; b {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return b
		}
	}
	return 0
}

func (r *reader) accept(b byte) bool {
	if r.peek() != b {
		return false
	}
	r.i++
	return true
}

// object calls field with every key; field must read the value.
func (r *reader) object(field func(key string)) {
	if !r.open('{') {
		return
	}
	for first := true; !r.accept('}'); first = false {
		if !first && !r.accept(',') {
			r.fail("a comma or } was expected")
			return
		}
		key := r.string()
		if !r.accept(':') {
			r.fail("a colon was expected")
			return
		}
		field(key)
		if r.err != nil {
			return
		}
	}
	r.depth--
}

// array calls element for every element; element must read it.
func (r *reader) array(element func()) {
	if !r.open('[') {
		return
	}
	for first := true; !r.accept(']'); first = false {
		if !first && !r.accept(',') {
			r.fail("a comma or ] was expected")
			return
		}
		element()
		if r.err != nil {
			return
		}
	}
	r.depth--
}

func (r *reader) open(b byte) bool {
	if !r.accept(b) {
		r.fail("%c was expected", b)
		return false
	}
	if r.depth++; r.depth > maxDepth {
		r.fail("nested more than %d deep", maxDepth)
		return false
	}
	return true
}

// string reads a string. Without escapes it shares the memory of the input.
func (r *reader) string() string {
	if !r.accept('"') {
		r.fail("a string was expected")
		return ""
	}
	start := r.i
	for ; r.i < len(r.s); r.i++ {
		switch b := r.s[r.i]; {
		case b == '"':
			r.i++
			return r.s[start : r.i-1]
		case b == '\\':
			return r.escaped(start)
		case b < 0x20:
			r.fail("control character in a string")
			return ""
		}
	}
	r.fail("a string does not end")
	return ""
}

// escaped goes on with the string that began at start and has an escape at r.i.
func (r *reader) escaped(start int) string {
	b := append(make([]byte, 0, 2*(r.i-start)+16), r.s[start:r.i]...)
	for r.i < len(r.s) {
		c := r.s[r.i]
		r.i++
		switch {
		case c == '"':
			return string(b)
		case c < 0x20:
			r.fail("control character in a string")
			return ""
		case c != '\\':
			b = append(b, c)
			continue
		}
		if r.i == len(r.s) {
			break
		}
		c = r.s[r.i]
		r.i++
		if j := strings.IndexByte(`"\/bfnrt`, c); j >= 0 {
			b = append(b, "\"\\/\b\f\n\r\t"[j])
		} else if c == 'u' {
			b = utf8.AppendRune(b, r.hexRune())
		} else {
			r.fail("unknown escape \\%c", c)
			return ""
		}
	}
	r.fail("a string does not end")
	return ""
}

// hexRune reads what follows \u; half a surrogate pair becomes U+FFFD.
func (r *reader) hexRune() rune {
	a := r.hex4()
	if utf16.IsSurrogate(a) && strings.HasPrefix(r.s[r.i:], `\u`) {
		back := r.i
		r.i += 2
		if c := utf16.DecodeRune(a, r.hex4()); c != utf8.RuneError {
			return c
		}
		r.i = back
	}
	if utf16.IsSurrogate(a) {
		return utf8.RuneError
	}
	return a
}

func (r *reader) hex4() rune {
	if len(r.s)-r.i < 4 {
		r.fail("an escape does not end")
		return 0
	}
	var c rune
	for range 4 {
		d, ok := hexDigit(r.s[r.i])
		if !ok {
			r.fail("%q is no hexadecimal digit", r.s[r.i])
			return 0
		}
		c = c<<4 | rune(d)
		r.i++
	}
	return c
}

// number reads a number and returns its text.
func (r *reader) number() string {
	r.peek()
	start := r.i
	for r.i < len(r.s) && strings.IndexByte("+-.eE0123456789", r.s[r.i]) >= 0 {
		r.i++
	}
	if n := r.s[start:r.i]; json.Valid([]byte(n)) {
		return n
	}
	r.fail("a number was expected")
	return "0"
}

// id reads a token id: an integer from 0 to limit-1.
func (r *reader) id(limit int) int32 {
	r.peek()
	start, v := r.i, 0
	for r.i < len(r.s) && r.s[r.i] >= '0' && r.s[r.i] <= '9' && v < limit {
		v = 10*v + int(r.s[r.i]-'0')
		r.i++
	}
	if r.i > start && v < limit && (r.i == len(r.s) || strings.IndexByte("+-.eE", r.s[r.i]) < 0) {
		return int32(v)
	}
	r.i = start
	r.fail("token id %s, an integer from 0 to %d was expected", r.number(), limit-1)
	return 0
}

func (r *reader) float() float64 {
	v, err := strconv.ParseFloat(r.number(), 64)
	if err != nil {
		r.fail("%v", err)
	}
	return v
}

func (r *reader) bool() bool {
	switch {
	case r.literal("true"):
		return true
	case r.literal("false"):
	default:
		r.fail("true or false was expected")
	}
	return false
}

// null reads a null if there is one.
func (r *reader) null() bool { return r.literal("null") }

func (r *reader) literal(word string) bool {
	r.peek()
	if !strings.HasPrefix(r.s[r.i:], word) {
		return false
	}
	r.i += len(word)
	return true
}

// skip reads any value.
func (r *reader) skip() {
	switch r.peek() {
	case '{':
		r.object(func(string) { r.skip() })
	case '[':
		r.array(r.skip)
	case '"':
		r.string()
	default:
		if !r.null() && !r.literal("true") && !r.literal("false") {
			r.number()
		}
	}
}

// sub reads any value and returns a reader of it.
func (r *reader) sub() reader {
	r.peek()
	start := r.i
	r.skip()
	return reader{s: r.s[:r.i], i: start, err: r.err}
}

// count returns the number of elements of the array that comes next, and leaves it unread.
func (r reader) count() int {
	n := 0
	r.array(func() { n++; r.skip() })
	return n
}

// end checks that nothing follows.
func (r *reader) end() error {
	if r.peek(); r.err == nil && r.i < len(r.s) {
		r.fail("something follows the value")
	}
	return r.err
}
