package expert

import "math"

// A Policy says which experts are worth keeping. It sees every request, in the
// order in which layers ask, and is called under the store's lock.
type Policy interface {
	// Begin is called when a layer is about to ask for the experts of some tokens.
	Begin(layer, tokens int)
	// Use is called for each expert that it asks for, in memory or not, with the
	// number of those tokens that go to it.
	Use(layer, expert, tokens int)
	// Score says what an expert in memory is worth. The least is displaced first;
	// of equals, the one with the lower layer and number.
	Score(layer, expert int) float64
}

// A NewPolicy makes the policy of one store.
type NewPolicy func(layers, experts int) Policy

// DefaultPolicy is the best of those here at the budgets that matter: see
// TestPolicies.
var DefaultPolicy NewPolicy = DecayedLFU

// LRU displaces what was used longest ago.
func LRU(layers, experts int) Policy {
	return &lru{last: make([]int64, layers*experts), experts: experts}
}

type lru struct {
	now     int64
	last    []int64
	experts int
}

func (p *lru) Begin(int, int) { p.now++ }

func (p *lru) Use(layer, expert, _ int) { p.last[layer*p.experts+expert] = p.now }

func (p *lru) Score(layer, expert int) float64 { return float64(p.last[layer*p.experts+expert]) }

// LFU displaces what was used least often, and of equals what was used longest
// ago.
func LFU(layers, experts int) Policy {
	return &lfu{lru: lru{last: make([]int64, layers*experts), experts: experts}, count: make([]int64, layers*experts)}
}

type lfu struct {
	lru
	count []int64
}

func (p *lfu) Use(layer, expert, tokens int) {
	p.lru.Use(layer, expert, tokens)
	p.count[layer*p.experts+expert] += int64(tokens)
}

func (p *lfu) Score(layer, expert int) float64 {
	return float64(p.count[layer*p.experts+expert]) + p.lru.Score(layer, expert)/float64(p.now+1)
}

// DecayedLFU displaces what is expected to be used latest. How likely a token goes
// to an expert is told by two means over its layer's tokens, one that forgets half
// within a token and one that takes 64 for it; from that follows after how many
// tokens the next use is expected, and from the place of the layer how far off
// those are. Where favourites last, LFU finds up to two in a hundred more; where
// they change with the text, it finds up to ten fewer.
func DecayedLFU(layers, experts int) Policy { return newDecayed(layers, experts, 1, 64, 0.2) }

type decayed struct {
	layers, experts int
	recent          float64      // weight of the short mean
	keep            [2][]float64 // [n]: what n tokens leave of a mean, the short and the long one
	tokens          []int64      // that each layer has seen
	now, n          int          // the layer that asks, and for how many tokens
	mean            [][2]float64
	at              []int64 // number of tokens when mean was right
}

// newDecayed returns means that forget half within so many tokens each.
func newDecayed(layers, experts int, short, long, recent float64) *decayed {
	p := &decayed{
		layers: layers, experts: experts, recent: recent, tokens: make([]int64, layers),
		mean: make([][2]float64, layers*experts), at: make([]int64, layers*experts),
	}
	for i, half := range [2]float64{short, long} {
		for n := range int(32 * half) { // after that, nothing
			p.keep[i] = append(p.keep[i], math.Exp2(-float64(n)/half))
		}
	}
	return p
}

func (p *decayed) left(i int, n int64) float64 {
	if n >= int64(len(p.keep[i])) {
		return 0
	}
	return p.keep[i][n]
}

func (p *decayed) Begin(layer, tokens int) {
	p.now, p.n = layer, max(tokens, 1)
	p.tokens[layer] += int64(p.n)
}

func (p *decayed) Use(layer, expert, tokens int) {
	e := layer*p.experts + expert
	share := float64(tokens) / float64(p.n)
	for i := range p.mean[e] {
		p.mean[e][i] = p.mean[e][i]*p.left(i, p.tokens[layer]-p.at[e]) + (1-p.left(i, int64(p.n)))*share
	}
	p.at[e] = p.tokens[layer]
}

func (p *decayed) Score(layer, expert int) float64 {
	e := layer*p.experts + expert
	age := p.tokens[layer] - p.at[e]
	rate := p.recent*p.mean[e][0]*p.left(0, age) + (1-p.recent)*p.mean[e][1]*p.left(1, age)
	ahead := layer - p.now // layers until this one asks again
	if ahead <= 0 {
		ahead += p.layers
	}
	return -((1/max(rate, 1e-9)-1)*float64(p.layers) + float64(ahead))
}
