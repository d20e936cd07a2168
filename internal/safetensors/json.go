package safetensors

import (
	"math"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON in one pass, without a tree: headers may have 100 MB, and
// what is allocated has to follow from what is kept. It refuses what
// encoding/json lets pass: bytes that are not UTF-8, and halves of surrogate
// pairs.
type scanner struct {
	data []byte
	off  int
}

func (s *scanner) space() {
	for s.off < len(s.data) {
		switch s.data[s.off] {
		case ' ', '\t', '\n', '\r':
			s.off++
		default:
			return
		}
	}
}

// peek returns the next byte after white space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.off == len(s.data) {
		return 0
	}
	return s.data[s.off]
}

func (s *scanner) unexpected(want string) error {
	if s.off >= len(s.data) {
		return fail(ErrHeader, "JSON ends where %s is expected", want)
	}
	return fail(ErrHeader, "JSON byte %d: expected %s, found %q", s.off, want, s.data[s.off])
}

func (s *scanner) expect(c byte) error {
	if s.peek() != c {
		return s.unexpected(string(rune(c)))
	}
	s.off++
	return nil
}

// end demands that only white space is left.
func (s *scanner) end() error {
	if s.peek(); s.off != len(s.data) {
		return s.unexpected("the end")
	}
	return nil
}

// object calls f at each value of an object, with its key, which f must not
// keep. Whether keys occur twice is for f to see.
func (s *scanner) object(f func(key []byte) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.off++
		return nil
	}
	for {
		key, err := s.text()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := f(key); err != nil {
			return err
		}
		if more, err := s.more('}'); err != nil || !more {
			return err
		}
	}
}

// array calls f at each element of an array.
func (s *scanner) array(f func() error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	if s.peek() == ']' {
		s.off++
		return nil
	}
	for {
		if err := f(); err != nil {
			return err
		}
		if more, err := s.more(']'); err != nil || !more {
			return err
		}
	}
}

// more reads a comma, or the closing byte.
func (s *scanner) more(closing byte) (bool, error) {
	switch s.peek() {
	case ',':
		s.off++
		return true, nil
	case closing:
		s.off++
		return false, nil
	}
	return false, s.unexpected("',' or '" + string(rune(closing)) + "'")
}

// integer reads a whole number of 0 to 2^63-1 without sign, point or exponent.
func (s *scanner) integer() (int64, error) {
	s.space()
	start, n := s.off, int64(0)
	for s.off < len(s.data) && '0' <= s.data[s.off] && s.data[s.off] <= '9' {
		d := int64(s.data[s.off] - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, fail(ErrHeader, "JSON byte %d: integer above 63 bits", start)
		}
		n = n*10 + d
		s.off++
	}
	if s.off == start {
		return 0, s.unexpected("a whole number")
	}
	if s.data[start] == '0' && s.off > start+1 {
		return 0, fail(ErrHeader, "JSON byte %d: integer with leading zeros", start)
	}
	return n, nil
}

// text reads a string: a view of it, or if it has escapes a decoded copy.
func (s *scanner) text() ([]byte, error) {
	raw, escaped, err := s.raw()
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(raw) {
		return nil, fail(ErrHeader, "JSON string before byte %d is not UTF-8", s.off)
	}
	if !escaped {
		return raw, nil
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			i++
			continue
		}
		r, n := unescape(raw[i:])
		if n == 0 {
			return nil, fail(ErrHeader, "JSON string before byte %d has a bad escape", s.off)
		}
		out = utf8.AppendRune(out, r)
		i += n
	}
	return out, nil
}

// raw reads a string as it stands between its quotes.
func (s *scanner) raw() (raw []byte, escaped bool, err error) {
	if err := s.expect('"'); err != nil {
		return nil, false, err
	}
	start := s.off
	for ; s.off < len(s.data); s.off++ {
		switch c := s.data[s.off]; {
		case c == '"':
			s.off++
			return s.data[start : s.off-1], escaped, nil
		case c == '\\':
			escaped = true
			s.off++
		case c < ' ':
			return nil, false, s.unexpected("a string without control bytes")
		}
	}
	s.off = len(s.data)
	return nil, false, s.unexpected("a closing quote")
}

// unescape decodes the escape at the start of b, and the second half of a
// surrogate pair. It returns how many bytes it took, 0 if the escape is bad.
func unescape(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	r, ok := hex4(b)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	low, _ := hex4(b[6:])
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

// hex4 decodes \uXXXX.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// skip reads a value of any kind that nests at most depth deep.
func (s *scanner) skip(depth int) error {
	if depth == 0 {
		return fail(ErrTooLarge, "JSON nests deeper than %d at byte %d", maxDepth, s.off)
	}
	switch c := s.peek(); {
	case c == '{':
		return s.object(func([]byte) error { return s.skip(depth - 1) })
	case c == '[':
		return s.array(func() error { return s.skip(depth - 1) })
	case c == '"':
		_, err := s.text()
		return err
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if len(s.data)-s.off >= len(word) && string(s.data[s.off:s.off+len(word)]) == word {
			s.off += len(word)
			return nil
		}
	}
	return s.unexpected("a value")
}

// number reads any JSON number.
func (s *scanner) number() error {
	if s.data[s.off] == '-' {
		s.off++
	}
	if s.off < len(s.data) && s.data[s.off] == '0' {
		s.off++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.off < len(s.data) && s.data[s.off] == '.' {
		s.off++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.off < len(s.data) && (s.data[s.off] == 'e' || s.data[s.off] == 'E') {
		s.off++
		if s.off < len(s.data) && (s.data[s.off] == '+' || s.data[s.off] == '-') {
			s.off++
		}
		return s.digits()
	}
	return nil
}

func (s *scanner) digits() error {
	start := s.off
	for s.off < len(s.data) && '0' <= s.data[s.off] && s.data[s.off] <= '9' {
		s.off++
	}
	if s.off == start {
		return s.unexpected("a digit")
	}
	return nil
}
