package tokenizer

import (
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"strings"
)

// kind says what a token is for. The names are GGUF's.
type kind uint8

const (
	absent  kind = iota // no token has this id
	normal              // text
	unknown             // stands for what the vocabulary cannot spell; special
	control             // special: a marker that is never text
	user                // an added token that is text
	unused              // reserved
	octet               // one byte, spelled <0x0A>
)

// special reports whether tokens of the kind are left out of decoded text, and cut out of the input only on demand.
func (k kind) special() bool { return k == control || k == unknown }

// vocab is the list of tokens.
type vocab struct {
	text      []string // by id: the bytes a token stands for in byte-level vocabularies, its spelling in others
	kind      []kind   // by id
	byteLevel bool     // tokens of kind normal stand for arbitrary bytes, spelled by GPT-2's alphabet
	words     index    // normal and unused tokens by text
	names     index    // the others, by spelling
}

// setSize makes room for ids below n.
func (v *vocab) setSize(n int) {
	v.text = append(v.text, make([]string, n-len(v.text))...)
	v.kind = append(v.kind, make([]kind, n-len(v.kind))...)
}

// set defines the token id, which must be below the size and not be defined yet.
func (v *vocab) set(id int32, spelling string, k kind) error {
	if v.kind[id] != absent {
		return fmt.Errorf("%w: token %d defined twice: %q and %q", ErrFormat, id, v.spell(id), spelling)
	}
	v.text[id], v.kind[id] = spelling, k
	if v.byteLevel && k == normal {
		raw, ok := fromByteLevel(spelling)
		if !ok { // outside GPT-2's alphabet: never the outcome of a merge, but it may be decoded
			v.kind[id] = user
		} else {
			v.text[id] = raw
		}
	}
	return nil
}

// buildIndex makes tokens findable by text. Two tokens of one spelling are an error.
func (v *vocab) buildIndex() error {
	var words, names int
	for _, k := range v.kind {
		if k == normal || k == unused {
			words++
		} else if k != absent {
			names++
		}
	}
	v.words, v.names = newIndex(words), newIndex(names)
	for i, k := range v.kind {
		id, dup := int32(i), int32(-1)
		switch {
		case k == absent || v.text[i] == "":
		case k == normal || k == unused:
			dup = v.words.add(v.text, id)
		default:
			dup = v.names.add(v.text, id)
		}
		if dup >= 0 {
			return fmt.Errorf("%w: tokens %d and %d have the same spelling %q", ErrFormat, dup, i, v.spell(id))
		}
	}
	for i, k := range v.kind {
		if k == absent || k == normal || k == unused || v.text[i] == "" {
			continue
		}
		if dup := v.word(v.text[i]); dup >= 0 {
			return fmt.Errorf("%w: tokens %d and %d have the same spelling %q", ErrFormat, dup, i, v.text[i])
		}
	}
	return nil
}

// compact moves all texts into one block of memory, so that they do not keep the file alive that they were cut from.
func (v *vocab) compact() {
	n := 0
	for _, s := range v.text {
		n += len(s)
	}
	var b strings.Builder
	b.Grow(n)
	for _, s := range v.text {
		b.WriteString(s)
	}
	all := b.String()
	for i, s := range v.text {
		v.text[i], all = all[:len(s)], all[len(s):]
	}
}

// word returns the normal token with a spelling, or -1.
func (v *vocab) word(spelling string) int32 {
	if v.byteLevel {
		raw, ok := fromByteLevel(spelling)
		if !ok {
			return -1
		}
		spelling = raw
	}
	return v.words.find(v.text, spelling)
}

// id returns the token with a spelling.
func (v *vocab) id(spelling string) (int32, bool) {
	if id := v.names.find(v.text, spelling); id >= 0 {
		return id, true
	}
	id := v.word(spelling)
	return max(id, 0), id >= 0
}

// spell returns the spelling of a token as the file has it.
func (v *vocab) spell(id int32) string {
	if v.byteLevel && v.kind[id] == normal {
		return toByteLevel(v.text[id])
	}
	return v.text[id]
}

// has reports whether id is a token.
func (v *vocab) has(id int32) bool { return uint32(id) < uint32(len(v.kind)) && v.kind[id] != absent }

// appendPiece appends the bytes that a token stands for in text.
func (v *vocab) appendPiece(dst []byte, id int32) []byte {
	s := v.text[id]
	if k := v.kind[id]; k == octet {
		b, _ := parseOctet(s)
		return append(dst, b)
	} else if v.byteLevel || k != normal && k != unused {
		return append(dst, s...)
	}
	for { // SentencePiece writes a space as U+2581
		i := strings.Index(s, metaspace)
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(append(dst, s[:i]...), ' ')
		s = s[i+len(metaspace):]
	}
}

// metaspace stands for a space in the tokens of SentencePiece: U+2581.
const metaspace = "▁"

// parseOctet reads the spelling of a byte token: <0x and two hexadecimal digits and >.
func parseOctet(s string) (byte, bool) {
	if len(s) != 6 || s[:3] != "<0x" || s[5] != '>' {
		return 0, false
	}
	hi, ok1 := hexDigit(s[3])
	lo, ok2 := hexDigit(s[4])
	return hi<<4 | lo, ok1 && ok2
}

func hexDigit(b byte) (byte, bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return b | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// octets returns the ids of the byte tokens, by byte, and whether all 256 exist. Missing ones are -1.
func (v *vocab) octets() (ids [256]int32, all bool) {
	for i := range ids {
		ids[i] = -1
	}
	n := 0
	for id, k := range v.kind {
		if b, ok := parseOctet(v.text[id]); ok && k == octet {
			ids[b] = int32(id)
			n++
		}
	}
	return ids, n == 256
}

// index finds tokens by text: an open hash table, half the memory of a map. The seed is random, so that no file can be written to
// collide.
type index struct {
	seed maphash.Seed
	slot []uint64 // upper half of the hash | id+1, 0 where free; a power of two long, at most half full
}

func newIndex(n int) index {
	return index{maphash.MakeSeed(), make([]uint64, 1<<bits.Len(uint(2*n)))}
}

// add enters id under its text and returns the token that is there already, or -1.
func (x *index) add(text []string, id int32) int32 {
	h, i := x.search(text, text[id])
	if e := x.slot[i]; e != 0 {
		return int32(uint32(e)) - 1
	}
	x.slot[i] = h&^math.MaxUint32 | uint64(id+1)
	return -1
}

// find returns the token whose text is s, or -1.
func (x *index) find(text []string, s string) int32 {
	_, i := x.search(text, s)
	return int32(uint32(x.slot[i])) - 1
}

// search returns the hash of s and its slot, or the free one where it would be. The part of the hash in the slot spares the look at the
// text of nearly all tokens but the right one.
func (x *index) search(text []string, s string) (h, i uint64) {
	h = maphash.String(x.seed, s)
	mask := uint64(len(x.slot) - 1)
	for i = h & mask; ; i = (i + 1) & mask {
		e := x.slot[i]
		if e == 0 || (e^h)>>32 == 0 && text[uint32(e)-1] == s {
			return h, i
		}
	}
}
