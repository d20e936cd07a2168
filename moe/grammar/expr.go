package grammar

import "unicode/utf8"

// An expr is what rules are made of.
type expr interface{}

type (
	literal string
	class   []span // a character in one of the spans
	seq     []expr
	alt     []expr
	ref     string // the rule of a name
	repeat  struct {
		e        expr
		min, max int // max -1: any number
	}
)

// span is the characters from lo to hi.
type span struct{ lo, hi rune }

func optional(e expr) expr { return repeat{e, 0, 1} }

// invert returns the characters that are in none of the spans.
func invert(c class) class {
	out := class{{0, utf8.MaxRune}}
	for _, s := range c {
		var next class
		for _, o := range out {
			if s.hi < o.lo || s.lo > o.hi {
				next = append(next, o)
				continue
			}
			if o.lo < s.lo {
				next = append(next, span{o.lo, s.lo - 1})
			}
			if s.hi < o.hi {
				next = append(next, span{s.hi + 1, o.hi})
			}
		}
		out = next
	}
	return out
}

// byteRange is the bytes from lo to hi.
type byteRange struct{ lo, hi byte }

// encodings calls f with sequences of byte ranges that together are the UTF-8 of
// the characters of s, surrogates left out.
func (s span) encodings(f func([]byteRange)) {
	for _, part := range []span{{0, 0x7f}, {0x80, 0x7ff}, {0x800, 0xd7ff}, {0xe000, 0xffff}, {0x10000, utf8.MaxRune}} {
		lo, hi := max(s.lo, part.lo), min(s.hi, part.hi)
		if lo <= hi {
			var a, b [utf8.UTFMax]byte
			n := utf8.EncodeRune(a[:], lo)
			utf8.EncodeRune(b[:], hi)
			rectangles(nil, a[:n], b[:n], f)
		}
	}
}

// rectangles cuts the strings from a to b, which are of one length and may differ
// in all bytes but those of prefix, into sequences of independent ranges.
func rectangles(prefix []byteRange, a, b []byte, f func([]byteRange)) {
	if len(a) == 0 {
		f(prefix)
		return
	}
	head := func(lo, hi byte) []byteRange { return append(prefix[:len(prefix):len(prefix)], byteRange{lo, hi}) }
	if a[0] == b[0] {
		rectangles(head(a[0], a[0]), a[1:], b[1:], f)
		return
	}
	n := len(a) - 1
	least, most := make([]byte, n), make([]byte, n) // of continuation bytes
	for i := range n {
		least[i], most[i] = 0x80, 0xbf
	}
	lo, hi := a[0], b[0]
	if string(a[1:]) != string(least) {
		rectangles(head(lo, lo), a[1:], most, f)
		lo++
	}
	if string(b[1:]) != string(most) {
		rectangles(head(hi, hi), least, b[1:], f)
		hi--
	}
	if lo <= hi {
		rectangles(head(lo, hi), least, most, f)
	}
}
