package tokenizer

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// rule says whether two neighbours merge, and when: rank<<32 | id of the merged token, or never. Lower ranks go first, equal ones
// from left to right.
type rule interface {
	merge(word string, a, b piece) uint64
}

const never = math.MaxUint64

// pairs is the rule of byte-pair encoding: a list of pairs of tokens, first merged first.
type pairs struct {
	list      [][3]int32 // left, right, merged
	slot      []int32    // open hash table of index+1 in list; a power of two long, at most half full
	seed, odd uint64     // random, so that no file can be written to collide
}

func newPairs(n int) *pairs {
	return &pairs{list: make([][3]int32, 0, n), slot: make([]int32, 1<<bits.Len(uint(2*n))), seed: rand.Uint64(), odd: rand.Uint64() | 1}
}

// add appends a pair. A pair that is there already moves to the end.
func (p *pairs) add(left, right, merged int32) {
	p.list = append(p.list, [3]int32{left, right, merged})
	mask := uint64(len(p.slot) - 1)
	for h := p.hash(left, right) & mask; ; h = (h + 1) & mask {
		i := p.slot[h] - 1
		if i < 0 || p.list[i][0] == left && p.list[i][1] == right {
			p.slot[h] = int32(len(p.list))
			return
		}
	}
}

func (p *pairs) hash(left, right int32) uint64 {
	hi, lo := bits.Mul64(uint64(uint32(left))<<32|uint64(uint32(right))^p.seed, p.odd)
	return hi ^ lo
}

func (p *pairs) merge(_ string, a, b piece) uint64 {
	mask := uint64(len(p.slot) - 1)
	for h := p.hash(a.id, b.id) & mask; ; h = (h + 1) & mask {
		i := p.slot[h] - 1
		if i < 0 {
			return never
		}
		if e := &p.list[i]; e[0] == a.id && e[1] == b.id {
			return uint64(i)<<32 | uint64(uint32(e[2]))
		}
	}
}

// scored is the rule of SentencePiece's byte-pair encoding: two neighbours merge if their text is a token, best score first.
type scored struct {
	vocab *vocab
	rank  []uint32 // by id: lower is better
}

func (p *scored) merge(word string, a, b piece) uint64 {
	id := p.vocab.words.find(p.vocab.text, word[a.start:b.end])
	if id < 0 {
		return never
	}
	return uint64(p.rank[id])<<32 | uint64(uint32(id))
}

// rankOf maps scores to ranks: the higher the score, the lower the rank. Scores are not NaN.
func rankOf(score float32) uint32 {
	if score == 0 {
		score = 0 // not -0
	}
	u := math.Float32bits(score)
	if u>>31 != 0 {
		return u
	}
	return u ^ 0x7fffffff
}
