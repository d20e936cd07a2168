package tokenizer

import (
	"math"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// unigram is SentencePiece's unigram model: of all ways to cut a text into tokens, the one with the highest sum of scores (log
// probabilities), found by dynamic programming (Kudo 2018, arXiv 1804.10959, section 3.2).
type unigram struct {
	vocab        *vocab
	score        []float32 // by id
	sorted       []int32   // normal tokens by text: a range of it is what begins with a prefix
	bytes        [256]int32
	byteFallback bool
	unknown      int32
	penalty      float64 // score of an unknown character
}

func newUnigram(v *vocab, score []float32, unknown int32) *unigram {
	m := &unigram{vocab: v, score: score, unknown: unknown}
	m.bytes, m.byteFallback = v.octets()
	lowest := float32(0)
	for id, k := range v.kind {
		if (k == normal || k == unused) && v.text[id] != "" {
			m.sorted = append(m.sorted, int32(id))
			lowest = min(lowest, score[id])
		}
	}
	slices.SortFunc(m.sorted, func(a, b int32) int { return strings.Compare(v.text[a], v.text[b]) })
	m.penalty = float64(lowest) - 10 // sentencepiece: kUnkPenalty
	return m
}

// step is the best way found to reach a position: the score up to it, the token that ends there and its length.
type step struct {
	score float64
	id    int32 // -1: an unknown character
	n     int32
}

// window bounds the memory of one pass, 24 bytes a byte. Longer texts are cut, at a space if there is one; near a cut the segmentation may
// not be the best.
const window = 1 << 20

func (m *unigram) appendWord(dst []int32, word string) []int32 {
	for len(word) > window {
		cut := strings.LastIndex(word[:window], metaspace)
		if cut <= 0 {
			for cut = window; cut > window-utf8.UTFMax && !utf8.RuneStart(word[cut]); cut-- {
			}
		}
		dst = m.viterbi(dst, word[:cut])
		word = word[cut:]
	}
	return m.viterbi(dst, word)
}

func (m *unigram) viterbi(dst []int32, word string) []int32 {
	best := make([]step, len(word)+1)
	for i := range best {
		best[i].score = math.Inf(-1)
	}
	best[0].score = 0
	for i := 0; i < len(word); {
		_, n := utf8.DecodeRuneInString(word[i:])
		reach := func(n int, id int32, score float64) {
			if s := best[i].score + score; s > best[i+n].score {
				best[i+n] = step{s, id, int32(n)}
			}
		}
		single := false // a token spells this character
		lo, hi := 0, len(m.sorted)
		for j := i; j < len(word) && lo < hi; j++ {
			lo, hi = m.narrow(lo, hi, j-i, word[j])
			if lo < hi {
				if id := m.sorted[lo]; len(m.vocab.text[id]) == j+1-i {
					single = single || j+1-i == n
					reach(j+1-i, id, float64(m.score[id]))
				}
			}
		}
		if !single {
			reach(n, -1, m.penalty)
		}
		i += n
	}
	// Read the way back, then turn it around.
	start := len(dst)
	fused := false
	for i := len(word); i > 0; {
		s := best[i]
		i -= int(s.n)
		switch {
		case s.id >= 0:
			dst = append(dst, s.id)
			fused = false
		case m.byteFallback:
			for j := i + int(s.n) - 1; j >= i; j-- {
				dst = append(dst, m.bytes[word[j]])
			}
		case m.unknown >= 0 && !fused: // a run of unknown characters is one token
			dst = append(dst, m.unknown)
			fused = true
		}
	}
	slices.Reverse(dst[start:])
	return dst
}

// narrow returns the part of sorted[lo:hi], whose texts agree on their first n bytes, where byte n is b.
func (m *unigram) narrow(lo, hi, n int, b byte) (int, int) {
	at := func(i int) int {
		if s := m.vocab.text[m.sorted[i]]; len(s) > n {
			return int(s[n])
		}
		return -1
	}
	first := lo + sort.Search(hi-lo, func(i int) bool { return at(lo+i) >= int(b) })
	last := first + sort.Search(hi-first, func(i int) bool { return at(first+i) > int(b) })
	return first, last
}
