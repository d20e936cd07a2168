package tokenizer

import (
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// model turns a word into tokens.
type model interface {
	appendWord(dst []int32, word string) []int32
}

// maxWord is the length in bytes beyond which a word is cut, so that positions within it fit an int32.
const maxWord = 1 << 30

// bpe is byte-pair encoding: a word starts as single bytes or characters, and neighbours merge by a rule until none is left that may.
type bpe struct {
	vocab        *vocab
	rule         rule
	bytes        [256]int32      // byte-level: the token of each byte; otherwise the byte tokens that spell unknown characters; -1 if missing
	byteFallback bool            // all byte tokens are there and are used
	unknown      int32           // token for a character that cannot be spelled, or -1
	fuse         bool            // a run of unknown characters is one token
	ignoreMerges bool            // a word that is a token is that token, whatever the merges say
	cutAtSpace   bool            // no token has a metaspace after another character, so no merge crosses the place before one
	known        []atomic.Uint32 // two bits per token: see whole
	scratch      sync.Pool       // *bpeScratch
}

type bpeScratch struct {
	pieces []piece
	long   long
}

func newBPE(v *vocab, r rule) *bpe {
	m := &bpe{vocab: v, rule: r, unknown: -1, known: make([]atomic.Uint32, (len(v.kind)+15)/16)}
	if v.byteLevel {
		for b := range m.bytes {
			m.bytes[b] = v.words.find(v.text, string([]byte{byte(b)}))
		}
	} else {
		m.cutAtSpace = true
		for id, s := range v.text {
			if k := v.kind[id]; k == normal || k == unused {
				if i := strings.LastIndex(s, metaspace); i > 0 && strings.Trim(s[:i], metaspace) != "" {
					m.cutAtSpace = false
					break
				}
			}
		}
	}
	m.scratch.New = func() any { return new(bpeScratch) }
	return m
}

func (m *bpe) appendWord(dst []int32, word string) []int32 {
	for len(word) > maxWord {
		cut := maxWord
		for cut > maxWord-utf8.UTFMax && !utf8.RuneStart(word[cut]) {
			cut--
		}
		dst = m.appendWord(dst, word[:cut])
		word = word[cut:]
	}
	for m.cutAtSpace {
		i := nextMetaspace(word)
		if i < 0 {
			break
		}
		dst = m.appendPart(dst, word[:i])
		word = word[i:]
	}
	return m.appendPart(dst, word)
}

// nextMetaspace returns the first place in word where a metaspace follows another character, or -1.
func nextMetaspace(word string) int {
	for i := 0; ; i += len(metaspace) {
		if !strings.HasPrefix(word[i:], metaspace) {
			j := strings.Index(word[i:], metaspace)
			if j < 0 {
				return -1
			}
			return i + j
		}
	}
}

// appendPart encodes a word that is not empty.
func (m *bpe) appendPart(dst []int32, word string) []int32 {
	if id, ok := m.whole(word); ok {
		return append(dst, id)
	}
	if len(word) <= shortWord {
		var buf [shortWord]piece
		return m.emit(dst, word, mergeShort(m.rule, word, m.split(buf[:0], word)))
	}
	s := m.scratch.Get().(*bpeScratch)
	s.pieces = m.split(s.pieces[:0], word)
	switch n := len(s.pieces); {
	case n > shortWord:
		s.pieces = s.long.merge(m.rule, word, s.pieces)
	default:
		s.pieces = mergeShort(m.rule, word, s.pieces)
	}
	dst = m.emit(dst, word, s.pieces)
	if cap(s.pieces) <= 1<<16 { // a rare giant does not stay
		m.scratch.Put(s)
	}
	return dst
}

// whole returns the token that spells word, if merging would arrive at it. Most words of most texts are such. Whether merging does is
// found out when a token is first met, and remembered: bit 0 of the pair says known, bit 1 the answer.
func (m *bpe) whole(word string) (int32, bool) {
	id := m.vocab.words.find(m.vocab.text, word)
	if id < 0 || m.ignoreMerges {
		return id, id >= 0
	}
	slot, shift := &m.known[id/16], uint(id%16*2)
	state := slot.Load() >> shift & 3
	if state == 0 {
		if len(word) > shortWord {
			return 0, false
		}
		var buf [shortWord]piece
		p := mergeShort(m.rule, word, m.split(buf[:0], word))
		state = 1
		if len(p) == 1 && p[0].id == id {
			state = 3
		}
		slot.Or(state << shift)
	}
	return id, state == 3
}

// split appends the pieces that word starts as.
func (m *bpe) split(dst []piece, word string) []piece {
	if m.vocab.byteLevel {
		for i := range len(word) {
			dst = append(dst, piece{m.bytes[word[i]], int32(i), int32(i) + 1})
		}
		return dst
	}
	for i := 0; i < len(word); {
		_, n := utf8.DecodeRuneInString(word[i:])
		id := m.vocab.words.find(m.vocab.text, word[i:i+n])
		dst = append(dst, piece{id, int32(i), int32(i + n)})
		i += n
	}
	return dst
}

// emit appends the tokens of the pieces. What has none is spelled by byte tokens, or else is unknown, or else is dropped, as the
// original does.
func (m *bpe) emit(dst []int32, word string, pieces []piece) []int32 {
	fused := false
	for _, p := range pieces {
		switch {
		case p.id >= 0:
			dst = append(dst, p.id)
		case m.byteFallback:
			for i := p.start; i < p.end; i++ {
				dst = append(dst, m.bytes[word[i]])
			}
		case m.unknown >= 0 && !fused:
			dst = append(dst, m.unknown)
			fused = m.fuse
			continue
		case m.unknown >= 0:
			continue
		}
		fused = false
	}
	return dst
}
