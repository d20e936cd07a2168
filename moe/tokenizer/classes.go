package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// class is what the patterns want to know of a character: its general category, roughly, as one bit, and two properties.
type class uint16

const (
	upper    class = 1 << iota // Lu, Lt
	lower                      // Ll
	caseless                   // Lm, Lo
	mark                       // M
	number                     // N
	punct                      // P
	symbol                     // S
	space                      // White_Space
	han                        // Script=Han
	unstable                   // NFC may change it, or what stands before it

	letter = upper | lower | caseless
)

// classes holds the class of every character up to the end of the supplementary multilingual plane. A table costs 256 KiB and is some
// ten times faster than the binary searches of package unicode. Ideographs beyond it are rare and take the slow way.
type classes [1 << 17]class

var categories = [...]struct { // read only
	table *unicode.RangeTable
	class class
}{
	{unicode.Lu, upper}, {unicode.Lt, upper}, {unicode.Ll, lower}, {unicode.Lm, caseless}, {unicode.Lo, caseless},
	{unicode.M, mark}, {unicode.N, number}, {unicode.P, punct}, {unicode.S, symbol}, {unicode.White_Space, space}, {unicode.Han, han},
}

func newClasses() *classes {
	c := new(classes)
	for _, k := range categories {
		for _, r := range k.table.R16 {
			for x := int(r.Lo); x <= int(r.Hi); x += int(r.Stride) {
				c[x] |= k.class
			}
		}
		for _, r := range k.table.R32 {
			for x := int(r.Lo); x <= int(r.Hi) && x < len(c); x += int(r.Stride) {
				c[x] |= k.class
			}
		}
	}
	for _, r := range composites { // the second part joins what stands before it
		c.set(r[2], unstable)
	}
	for _, r := range decompositions {
		c.set(r[0], unstable)
	}
	for _, r := range combining {
		for x := r[0]; x <= r[1]; x++ {
			c.set(x, unstable)
		}
	}
	for x := rune(vBase); x < vBase+vCount; x++ {
		c.set(x, unstable)
	}
	for x := rune(tBase + 1); x < tBase+tCount; x++ {
		c.set(x, unstable)
	}
	return c
}

func (c *classes) set(r rune, k class) {
	if int(r) < len(c) {
		c[r] |= k
	}
}

// of returns the class of r.
func (c *classes) of(r rune) class {
	if uint32(r) < uint32(len(c)) {
		return c[r]
	}
	var k class
	for _, t := range categories {
		if unicode.Is(t.table, r) {
			k |= t.class
		}
	}
	if r >= 0x2f800 && r <= 0x2fa1d { // compatibility ideographs, all singletons
		k |= unstable
	}
	return k
}

// at returns the class and the length in bytes of the character at s[i:]. A byte that is not UTF-8 counts as U+FFFD.
func (c *classes) at(s string, i int) (class, int) {
	if b := s[i]; b < utf8.RuneSelf {
		return c[b], 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	return c.of(r), n
}

// run returns the end of the longest run from s[i:] of characters that have a bit of in and none of out.
func (c *classes) run(s string, i int, in, out class) int {
	for i < len(s) {
		k, n := c.at(s, i)
		if k&in == 0 || k&out != 0 {
			break
		}
		i += n
	}
	return i
}

// until returns the end of the longest run from s[i:] of characters that have no bit of stop.
func (c *classes) until(s string, i int, stop class) int {
	for i < len(s) {
		k, n := c.at(s, i)
		if k&stop != 0 {
			break
		}
		i += n
	}
	return i
}
