package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Hangul syllables are composed by arithmetic (Unicode Standard, section 3.12).
const (
	sBase, lBase, vBase, tBase = 0xac00, 0x1100, 0x1161, 0x11a7
	lCount, vCount, tCount     = 19, 21, 28
	sCount                     = lCount * vCount * tCount
)

// nfc normalises to Unicode normalization form C (UAX #15).
type nfc struct {
	classes *classes
	parts   map[rune][2]rune // canonical decomposition, one step
	whole   map[[2]rune]rune // canonical composition
	order   map[rune]uint8   // combining class, where not 0
}

func newNFC(c *classes) *nfc {
	n := &nfc{
		classes: c,
		parts:   make(map[rune][2]rune, len(composites)+len(decompositions)),
		whole:   make(map[[2]rune]rune, len(composites)),
		order:   make(map[rune]uint8),
	}
	for _, e := range composites {
		n.parts[e[0]] = [2]rune{e[1], e[2]}
		n.whole[[2]rune{e[1], e[2]}] = e[0]
	}
	for _, e := range decompositions {
		n.parts[e[0]] = [2]rune{e[1], e[2]}
	}
	for _, e := range combining {
		for r := e[0]; r <= e[1]; r++ {
			n.order[r] = uint8(e[2])
		}
	}
	return n
}

// normalize returns s in form C, and s itself where nothing changes. Only stretches around unstable characters are looked at closely:
// a stable character, followed by a stable one, stays as it is. Bytes that are not UTF-8 are kept.
func (n *nfc) normalize(s string) string {
	var b strings.Builder
	done := 0        // s[:done] is in b
	start := 0       // of the last stable character
	var runes []rune // scratch
	var orders []ordered
	for i := 0; i < len(s); {
		k, w := n.classes.at(s, i)
		if k&unstable == 0 {
			start = i
			i += w
			continue
		}
		end := n.classes.run(s, i, unstable, 0)
		if r, w := utf8.DecodeRuneInString(s[start:i]); r == utf8.RuneError && w == 1 {
			start++ // no character: nothing composes with it
		}
		runes, orders = n.compose(s[start:end], runes[:0], orders[:0])
		b.WriteString(s[done:start])
		for _, r := range runes {
			b.WriteRune(r)
		}
		done, start, i = end, end, end
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

// ordered is a character and its combining class.
type ordered struct {
	r     rune
	order uint8
}

// compose decomposes the stretch s, puts its marks into canonical order and composes it again, into dst.
func (n *nfc) compose(s string, dst []rune, scratch []ordered) ([]rune, []ordered) {
	for _, r := range s {
		scratch = n.decompose(scratch, r)
	}
	for i := 0; i < len(scratch); { // each run of marks is sorted, stably
		j := i
		for j < len(scratch) && scratch[j].order != 0 {
			j++
		}
		slices.SortStableFunc(scratch[i:j], func(a, b ordered) int { return int(a.order) - int(b.order) })
		i = max(j, i+1)
	}
	starter := -1 // index in dst of the last starter
	var last uint8
	for _, m := range scratch {
		// A mark reaches the starter unless one of its own class or higher, or another starter, stands between.
		if free := starter >= 0 && (last < m.order || starter == len(dst)-1); free {
			if c := n.pair(dst[starter], m.r); c != 0 {
				dst[starter] = c
				continue
			}
		}
		if m.order == 0 {
			starter = len(dst)
		}
		last = m.order
		dst = append(dst, m.r)
	}
	return dst, scratch
}

func (n *nfc) decompose(dst []ordered, r rune) []ordered {
	if i := r - sBase; i >= 0 && i < sCount {
		dst = append(dst, ordered{lBase + i/(vCount*tCount), 0}, ordered{vBase + i/tCount%vCount, 0})
		if t := i % tCount; t != 0 {
			dst = append(dst, ordered{tBase + t, 0})
		}
		return dst
	}
	p, ok := n.parts[r]
	if !ok {
		return append(dst, ordered{r, n.order[r]})
	}
	dst = n.decompose(dst, p[0])
	if p[1] != 0 {
		dst = n.decompose(dst, p[1])
	}
	return dst
}

// pair returns the character that a and b compose to, or 0.
func (n *nfc) pair(a, b rune) rune {
	if l, v := a-lBase, b-vBase; l >= 0 && l < lCount && v >= 0 && v < vCount {
		return sBase + (l*vCount+v)*tCount
	}
	if s, t := a-sBase, b-tBase; s >= 0 && s < sCount && s%tCount == 0 && t > 0 && t < tCount {
		return a + t
	}
	return n.whole[[2]rune{a, b}]
}
