package router

import "math"

var negInf = float32(math.Inf(-1))

// best keeps the greatest of the scores offered, as keys in descending order, as many as keys has room for.
type best struct {
	keys []uint64
	n    int // how many are there so far
}

// key orders choices: by score, equal scores by descending id. The score's bits are made to ascend with it, NaN
// counting as minus infinity and -0 as 0, above the complement of the id.
func key(score float32, id int) uint64 {
	if score != score {
		score = negInf
	}
	b := math.Float32bits(score + 0)
	b ^= uint32(int32(b)>>31) | 1<<31
	return uint64(b)<<32 | uint64(^uint32(id))
}

func keyID(k uint64) int32 { return int32(^uint32(k)) }

func keyScore(k uint64) float32 {
	b := uint32(k >> 32)
	return math.Float32frombits(b ^ (^uint32(int32(b)>>31) | 1<<31))
}

// offer puts forward scores, those of the experts from id first on. Ids must ascend from call to call.
func (b *best) offer(scores []float32, first int) {
	i := 0
	for ; b.n < len(b.keys) && i < len(scores); i++ {
		b.keys[b.n] = 0
		b.n++
		b.insert(key(scores[i], first+i))
	}
	if i == len(scores) {
		return
	}
	low := b.lowest()
	for ; i < len(scores); i++ {
		if v := scores[i]; v > low { // not true of NaN, nor of the later of two equals
			b.insert(key(v, first+i))
			low = b.lowest()
		}
	}
}

// offerZeros puts forward n experts from id first on, with score 0.
func (b *best) offerZeros(n, first int) {
	for i := range n {
		if b.n < len(b.keys) {
			b.keys[b.n] = 0
			b.n++
		} else if !(0 > b.lowest()) {
			return
		}
		b.insert(key(0, first+i))
	}
}

// lowest returns the score to be beaten once all room is taken.
func (b *best) lowest() float32 { return keyScore(b.keys[len(b.keys)-1]) }

// insert puts k in its place and lets the least go. It always walks all keys: a branch that stopped at the right place
// would be mispredicted nearly every time, which costs more.
func (b *best) insert(k uint64) {
	keys := b.keys[:b.n]
	for i, have := range keys {
		keys[i] = max(have, k)
		k = min(have, k)
	}
}
