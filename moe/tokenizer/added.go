package tokenizer

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// added is an added token: text that is cut out of the input before anything else looks at it.
type added struct {
	text       string
	id         int32
	special    bool // only cut out on demand
	singleWord bool // only between characters that are no part of a word
	lstrip     bool // takes the white space before it along
	rstrip     bool // and after it
}

// maxAdded is the length limit of an added token. Real ones are below 100 bytes; the limit bounds the time of matching hostile files.
const maxAdded = 512

// matcher finds added tokens: at every position the longest, from left to right.
type matcher struct {
	list  []added // sorted by text: a range of it is what begins with a prefix
	first [256]bool
}

// newMatcher takes list over.
func newMatcher(list []added) (*matcher, error) {
	m := &matcher{list: slices.DeleteFunc(list, func(a added) bool { return a.text == "" })}
	for _, a := range m.list {
		if len(a.text) > maxAdded {
			return nil, fmt.Errorf("%w: added token %d is %d bytes long, at most %d are allowed", ErrFormat, a.id, len(a.text), maxAdded)
		}
		m.first[a.text[0]] = true
	}
	slices.SortFunc(m.list, func(a, b added) int { return strings.Compare(a.text, b.text) })
	for i := 1; i < len(m.list); i++ {
		if a, b := m.list[i-1], m.list[i]; a.text == b.text {
			return nil, fmt.Errorf("%w: added tokens %d and %d have the same text %q", ErrFormat, a.id, b.id, a.text)
		}
	}
	return m, nil
}

// next returns the first added token in text at or after from, and where it begins and ends; nil if there is none.
func (m *matcher) next(text string, from int, special bool) (a *added, start, end int) {
	for i := from; i < len(text) && len(m.list) > 0; {
		if !m.first[text[i]] {
			i++
			continue
		}
		a := m.longest(text[i:], special)
		if a == nil {
			i++
			continue
		}
		start, end := i, i+len(a.text)
		i = end
		if a.singleWord && (endsInWord(text[:start]) || startsWord(text[end:])) {
			continue
		}
		if a.lstrip {
			start = from + len(strings.TrimRightFunc(text[from:start], unicode.IsSpace))
		}
		if a.rstrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
		}
		return a, start, end
	}
	return nil, len(text), len(text)
}

// longest returns the longest added token that s begins with.
func (m *matcher) longest(s string, special bool) (found *added) {
	lo, hi := 0, len(m.list)
	for n := 0; n < len(s) && lo < hi; n++ {
		at := func(i int) int {
			if t := m.list[i].text; len(t) > n {
				return int(t[n])
			}
			return -1
		}
		b := int(s[n])
		if at(lo) != b || at(hi-1) != b { // mostly, one candidate is left after few bytes
			lo += sort.Search(hi-lo, func(i int) bool { return at(lo+i) >= b })
			hi = lo + sort.Search(hi-lo, func(i int) bool { return at(lo+i) > b })
		}
		if lo < hi {
			if a := &m.list[lo]; len(a.text) == n+1 && (special || !a.special) {
				found = a
			}
		}
	}
	return found
}

func endsInWord(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && isWord(r)
}

func startsWord(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && isWord(r)
}

// isWord reports whether r matches \w (UTS #18, annex C).
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}
