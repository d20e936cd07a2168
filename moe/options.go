package moe

import (
	"fmt"

	"github.com/coterie-go/coterie/kernels"
)

// An Option changes how a model is opened.
type Option func(*options) error

type options struct {
	threads   int
	chunk     int
	logitRows int // rows of logits computed at a time
	cache     *kernels.Format
	exact     bool
	slide     bool // past the context, see WithSliding
	keep      int
	topK      int
	minGate   float32
	observe   RouteObserver
	override  RouteOverride
	logits    LogitsOverride
	hidden    func(layer int, x []float32)
	activate  ActivationObserver
	check     bool // of weights at open, if checkSet
	checkSet  bool
	budget    budgetOptions
	hold      bool // all weights, see WithoutMapping
}

func defaults() options { return options{chunk: 512, logitRows: 32, cache: kernels.F16} }

// WithThreads sets the number of worker threads. The default is GOMAXPROCS, which
// follows the CPU affinity and the container's quota. Results do not depend on it.
func WithThreads(n int) Option {
	return func(o *options) error {
		if n < 1 || n > 4096 {
			return fmt.Errorf("%w: threads: want 1 to 4096, found %d", ErrOption, n)
		}
		o.threads = n
		return nil
	}
}

// WithChunk sets how many tokens of prompts go through the model together (512 by
// default). More need more scratch memory. Results do not depend on it.
func WithChunk(n int) Option {
	return func(o *options) error {
		if n < 1 || n > 1<<16 {
			return fmt.Errorf("%w: chunk: want 1 to 65536, found %d", ErrOption, n)
		}
		o.chunk = n
		return nil
	}
}

// CacheType is the type of the keys and values that a State keeps. Those of a head,
// or the rotary or the latent part of a row, whose length is not a multiple of 32
// stay in f16 with CacheQ8.
//
// Against CacheF32, with the same experts, the logits of the embedded Tale differ by
// 1.5e-4 of their size with CacheF16 (root mean square over 512 tokens of held-out
// text; the largest difference is 0.0096 at a size of 5.3) and by 1.4e-3 with CacheQ8;
// those of tiny models of every family, with random weights, by at most 4.2e-4 and
// 1.1e-2.
type CacheType string

const (
	CacheF32 CacheType = "f32"
	CacheF16 CacheType = "f16"
	CacheQ8  CacheType = "q8_0" // blocks of 32 values in 8 bits with a common scale
)

// WithCache sets the type of keys and values; F16 by default.
func WithCache(t CacheType) Option {
	return func(o *options) error {
		switch t {
		case CacheF32:
			o.cache = kernels.F32
		case CacheF16:
			o.cache = kernels.F16
		case CacheQ8:
			o.cache = kernels.Q8_0
		default:
			return fmt.Errorf("%w: cache type: want f32, f16 or q8_0, found %q", ErrOption, string(t))
		}
		return nil
	}
}

// WithFloatActivations keeps activations in float32 in products with
// block-quantised weights, where the default rounds them to 8 bits as is usual.
// Results are those of the dequantised weights, several times slower.
func WithFloatActivations() Option {
	return func(o *options) error { o.exact = true; return nil }
}

// WithTopK sends each token to k experts instead of the model's own number.
func WithTopK(k int) Option {
	return func(o *options) error {
		if k < 1 {
			return fmt.Errorf("%w: top-k: want 1 or more, found %d", ErrOption, k)
		}
		o.topK = k
		return nil
	}
}

// WithMinGate leaves out experts whose weight is less than p times the token's
// largest.
func WithMinGate(p float32) Option {
	return func(o *options) error {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("%w: minimum gate: want 0 to 1, found %v", ErrOption, p)
		}
		o.minGate = p
		return nil
	}
}

// A RouteObserver is told which experts a token was sent to, in the order of
// their scores, and what their outputs are multiplied by. The slices are valid
// during the call. Calls for one layer of one Forward come in the order of tokens;
// different Forwards may call at once.
type RouteObserver func(layer, position int, ids []int32, weights []float32)

// WithRouteObserver sets an observer. It costs no allocation.
func WithRouteObserver(f RouteObserver) Option {
	return func(o *options) error { o.observe = f; return nil }
}

// A RouteOverride may change the choice in place: ids must stay distinct and in
// range, or be -1 for none.
type RouteOverride func(layer, position int, ids []int32, weights []float32)

// WithRouteOverride lets f change what the router chose, before the observer sees
// it. Replay of recorded routes, ablation of experts.
func WithRouteOverride(f RouteOverride) Option {
	return func(o *options) error { o.override = f; return nil }
}

// A LogitsOverride may change logits (Vocab) in place before they are returned.
// tokens are those that the state has read up to there; it must keep neither.
type LogitsOverride func(tokens []int32, logits []float32)

// WithLogitsOverride lets f have the last word on every row of logits that Forward,
// ForwardAll or ForwardBatch returns: for test doubles, and for steering. States of
// different calls may call it at once.
func WithLogitsOverride(f LogitsOverride) Option {
	return func(o *options) error { o.logits = f; return nil }
}

// withHidden observes the residual stream: layer 0 is the embedding, layer i the
// output of layer i-1, the last one after the final norm.
func withHidden(f func(layer int, x []float32)) Option {
	return func(o *options) error { o.hidden = f; return nil }
}
