package router

import (
	"fmt"
	"math"
)

// Plan groups the choices of many tokens by expert, so that each expert is read once for all its tokens: row i of the
// activations an expert works on is Tokens(e)[i], and its output is weighed by weights[Tokens(e)[i]*k+Slots(e)[i]].
//
// The zero value is ready. A plan may be built again and again and allocates only to grow; what it returned before is
// overwritten then. One goroutine builds it, any number may read it.
type Plan struct {
	starts []int32 // experts+2: expert e has the pairs from starts[e] to starts[e+1]; the last is for building
	tokens []int32 // pairs
	slots  []int32 // pairs
	active []int32 // experts that have pairs, ascending
}

// Grow makes room for plans of up to the given numbers of choices and experts.
func (p *Plan) Grow(pairs, experts int) {
	p.tokens = room(p.tokens, pairs)
	p.slots = room(p.slots, pairs)
	p.active = room(p.active, experts)
	p.starts = room(p.starts, experts+2)
}

// room returns s if it can hold n values, else a new slice that can. Its content is lost.
func room(s []int32, n int) []int32 {
	if cap(s) < n {
		s = make([]int32, n)
	}
	return s[:0]
}

// Build groups ids (n, k), a router's choices for n tokens, by expert; within an expert the pairs are in the order of
// the tokens, and of the slots within a token. Id -1, a dropped choice, is left out. It is a counting sort: its time
// is linear in n*k + experts.
//
// An error wraps ErrShape or ErrID (the first id that is out of range) and leaves the plan empty.
func (p *Plan) Build(ids []int32, n, k, experts int) error {
	p.starts, p.tokens, p.slots, p.active = p.starts[:0], p.tokens[:0], p.slots[:0], p.active[:0]
	switch {
	case n < 0 || k < 0 || experts < 0 || experts > math.MaxInt32-2:
		return fmt.Errorf("%w: plan: want numbers of tokens, slots and experts, found %d, %d and %d", ErrShape, n, k, experts)
	case k > 0 && n > min(len(ids), math.MaxInt32)/k:
		return fmt.Errorf("%w: plan: ids: want %d for each of %d tokens, found %d", ErrShape, k, n, len(ids))
	}
	ids = ids[:n*k]
	for i, id := range ids {
		if id < -1 || int(id) >= experts {
			return fmt.Errorf("%w: plan: token %d, slot %d: want -1 to %d, found %d", ErrID, i/k, i%k, experts-1, id)
		}
	}
	p.Grow(len(ids), experts)

	// Count one place further on than the expert's end, so that the sums give its start there; placing its pairs then
	// moves that start to its end, which is the next one's start.
	starts := p.starts[:experts+2]
	clear(starts)
	for _, id := range ids {
		if id >= 0 {
			starts[id+2]++
		}
	}
	for e := range experts {
		if starts[e+2] > 0 {
			p.active = append(p.active, int32(e))
		}
		starts[e+2] += starts[e+1]
	}
	pairs := starts[experts+1]
	p.starts, p.tokens, p.slots = starts, p.tokens[:pairs], p.slots[:pairs]
	for t := range n {
		for slot, id := range ids[t*k : (t+1)*k] {
			if id >= 0 {
				at := starts[id+1]
				p.tokens[at], p.slots[at] = int32(t), int32(slot)
				starts[id+1]++
			}
		}
	}
	return nil
}

// Pairs returns the number of choices in the plan, dropped ones not counted.
func (p *Plan) Pairs() int { return len(p.tokens) }

// Active returns the experts that have tokens, in ascending order. It is valid until the next Build.
func (p *Plan) Active() []int32 { return p.active }

// Tokens returns the tokens sent to an expert, in ascending order; none for an expert unknown to the plan.
// It is valid until the next Build.
func (p *Plan) Tokens(expert int) []int32 {
	lo, hi := p.span(expert)
	return p.tokens[lo:hi:hi]
}

// Slots returns, for each of Tokens(expert), which of the token's k choices the expert is.
func (p *Plan) Slots(expert int) []int32 {
	lo, hi := p.span(expert)
	return p.slots[lo:hi:hi]
}

func (p *Plan) span(expert int) (lo, hi int32) {
	if expert < 0 || expert > len(p.starts)-3 {
		return 0, 0
	}
	return p.starts[expert], p.starts[expert+1]
}
