package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// routes sends tokens where those of a trained model might go, in place of a
// router without training: favourites by Zipf's law, other ones in each topic, and
// some of the experts of the token before. The same position goes to the same
// experts in every run.
type routes struct {
	mu      sync.Mutex
	tokens  int
	experts int // to choose from
	skew    float64
	layers  map[int][][]int32 // for each layer and position
}

func newRoutes(tokens, experts int, skew float64) *routes {
	return &routes{tokens: tokens, experts: experts, skew: skew, layers: map[int][][]int32{}}
}

func (r *routes) override(layer, position int, ids []int32, weights []float32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.layers[layer]
	if all == nil {
		all = r.layer(layer, len(ids))
		r.layers[layer] = all
	}
	copy(ids, all[position])
	for i := range weights {
		weights[i] = 1 / float32(len(weights))
	}
}

func (r *routes) layer(layer, k int) [][]int32 {
	const topics, topicTokens, again = 4, 50, 0.15
	change := rand.New(rand.NewPCG(1, 1)) // topics are those of the text, for all layers
	rng := rand.New(rand.NewPCG(2, uint64(layer)))
	var weight [topics][]float64
	for t := range weight {
		weight[t] = make([]float64, r.experts)
		for rank, e := range rng.Perm(r.experts) {
			weight[t][e] = math.Pow(float64(rank+1), -r.skew)
		}
	}
	var all [][]int32
	topic := 0
	for t := range r.tokens {
		if change.IntN(topicTokens) == 0 {
			topic = change.IntN(topics)
		}
		var ids []int32
		if t > 0 {
			for _, e := range all[t-1] {
				if rng.Float64() < again {
					ids = append(ids, e)
				}
			}
		}
		for len(ids) < k {
			// The least of exponentials over weights draws without replacement.
			best, at := math.Inf(1), int32(0)
			for e, w := range weight[topic] {
				if v := rng.ExpFloat64() / w; v < best && !slices.Contains(ids, int32(e)) {
					best, at = v, int32(e)
				}
			}
			ids = append(ids, at)
		}
		all = append(all, ids)
	}
	return all
}
