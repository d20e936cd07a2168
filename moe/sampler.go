package moe

import (
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/coterie-go/coterie/kernels"
)

// sampler chooses the tokens of one sequence.
type sampler struct {
	opt    Sampling
	ends   map[int32]bool
	rng    rand.PCG
	bound  float64 // mirostat's bound on surprise, in bits
	prompt []int32
	made   []int32        // tokens chosen
	count  map[int32]int  // of made
	seen   map[int32]bool // in prompt and made; nil if only the last ones matter
	done   map[int32]bool // of repeated

	logits []float32 // (Vocab) changed ones
	probs  []float32 // (Vocab)
	cand   []candidate
}

type candidate struct {
	id    int32
	logit float32
}

func newSampler(opt Sampling, prompt []int32, ends map[int32]bool) *sampler {
	s := &sampler{opt: opt, prompt: prompt, ends: ends}
	s.rng.Seed(opt.Seed, 0)
	if opt.Mirostat != nil {
		s.bound = 2 * float64(opt.Mirostat.Target)
	}
	if opt.FrequencyPenalty != 0 || opt.PresencePenalty != 0 {
		s.count = map[int32]int{}
	}
	if s.repeats() {
		s.done = map[int32]bool{}
		if opt.RepeatLast == 0 {
			s.seen = map[int32]bool{}
			for _, id := range prompt {
				s.seen[id] = true
			}
		}
	}
	return s
}

// choose returns the next token for the model's logits, which stay as they are.
func (s *sampler) choose(logits []float32) (int32, error) {
	if s.changes() {
		s.logits = append(s.logits[:0], logits...)
		logits = s.logits
		if err := s.change(logits); err != nil {
			return 0, err
		}
	}
	id := int32(-1)
	if s.opt.Temperature == 0 {
		id = greedy(logits)
	} else {
		id = s.draw(logits)
	}
	if id < 0 {
		return 0, ErrNoToken
	}
	s.made = append(s.made, id)
	if s.count != nil {
		s.count[id]++
	}
	if s.seen != nil {
		s.seen[id] = true
	}
	return id, nil
}

// greedy returns the first of the greatest logits, -1 if all are -Inf.
func greedy(logits []float32) int32 {
	best, id := float32(math.Inf(-1)), int32(-1)
	for i, v := range logits {
		if v > best {
			best, id = v, int32(i)
		}
	}
	return id
}

func (s *sampler) changes() bool {
	o := &s.opt
	return len(o.Bias) > 0 || o.IgnoreEnd || s.count != nil || s.repeats() || o.Hook != nil
}

func (s *sampler) repeats() bool { return s.opt.RepeatPenalty != 0 && s.opt.RepeatPenalty != 1 }

// change applies biases, penalties and the hook.
func (s *sampler) change(logits []float32) error {
	o := &s.opt
	for id, b := range o.Bias {
		logits[id] += b
	}
	if o.IgnoreEnd {
		for id := range s.ends {
			logits[id] = float32(math.Inf(-1))
		}
	}
	if s.repeats() {
		clear(s.done)
		for id := range s.repeated() {
			if s.done[id] {
				continue
			}
			s.done[id] = true
			if v := logits[id]; v > 0 {
				logits[id] = v / o.RepeatPenalty
			} else {
				logits[id] = v * o.RepeatPenalty
			}
		}
	}
	for id, n := range s.count {
		logits[id] -= float32(float32(n)*o.FrequencyPenalty) + o.PresencePenalty
	}
	if o.Hook != nil {
		return o.Hook(s.made, logits)
	}
	return nil
}

// repeated returns the tokens that a repetition is judged by, some of them more
// than once.
func (s *sampler) repeated() iter.Seq[int32] {
	if s.seen != nil {
		return maps.Keys(s.seen)
	}
	n := s.opt.RepeatLast
	made := s.made[max(len(s.made)-n, 0):]
	prompt := s.prompt[max(len(s.prompt)-(n-len(made)), 0):]
	return func(yield func(int32) bool) {
		for _, list := range [][]int32{prompt, made} {
			for _, id := range list {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// draw keeps some candidates and draws one of them, -1 if there are none.
func (s *sampler) draw(logits []float32) int32 {
	s.cand = s.cand[:0]
	for i, v := range logits {
		if v > float32(math.Inf(-1)) {
			s.cand = append(s.cand, candidate{int32(i), v})
		}
	}
	if len(s.cand) == 0 {
		return -1
	}
	if s.opt.Mirostat != nil {
		return s.mirostat()
	}
	if k := s.opt.TopK; k > 0 && k < len(s.cand) {
		s.cand = s.cand[:best(s.cand, func(n int) bool { return n == k })]
	}
	if p := s.opt.Typical; p > 0 && p < 1 {
		s.typical(p)
	}
	if p := s.opt.TopP; p > 0 && p < 1 {
		s.nucleus(p)
	}
	if p := s.opt.MinP; p > 0 {
		least := top(s.cand) + float32(ln(float64(p)))
		s.cand = slices.DeleteFunc(s.cand, func(c candidate) bool { return c.logit < least })
	}
	return s.cand[s.pick(s.softmax(s.opt.Temperature))].id
}

// nucleus keeps the most likely candidates that together reach p.
func (s *sampler) nucleus(p float32) {
	norm, sum := s.lnSum(), 0.0
	s.cand = s.cand[:best(s.cand, func(n int) bool {
		if n > 0 {
			sum += float64(kernels.Exp(s.cand[n-1].logit - norm))
		}
		return sum >= float64(p)
	})]
}

// typical keeps the candidates whose surprise is nearest to the distribution's
// entropy, as many as together reach p.
func (s *sampler) typical(p float32) {
	norm := s.lnSum()
	probs := s.softmax(1)
	var entropy float64
	for i, c := range s.cand {
		entropy += float64(float64(probs[i]) * float64(norm-c.logit))
	}
	near := make([]candidate, len(s.cand)) // of s.cand[id]
	for i, c := range s.cand {
		near[i] = candidate{int32(i), -float32(math.Abs(float64(norm-c.logit) - entropy))}
	}
	sum := 0.0
	near = near[:best(near, func(n int) bool {
		if n > 0 {
			sum += float64(probs[near[n-1].id])
		}
		return sum >= float64(p)
	})]
	slices.SortFunc(near, func(a, b candidate) int { return int(a.id - b.id) })
	for i, c := range near {
		s.cand[i] = s.cand[c.id]
	}
	s.cand = s.cand[:len(near)]
}

// mirostat keeps the candidates whose surprise is within the bound, at least one,
// draws one and moves the bound by how far its surprise was off the target.
func (s *sampler) mirostat() int32 {
	best(s.cand, func(n int) bool { return n == len(s.cand) })
	keep := 0
	for _, p := range s.softmax(s.opt.Temperature) {
		if surprise(p) > s.bound {
			break
		}
		keep++
	}
	s.cand = s.cand[:max(keep, 1)]
	probs := s.softmax(s.opt.Temperature)
	i := s.pick(probs)
	s.bound -= float64(float64(s.opt.Mirostat.Rate) * (surprise(probs[i]) - float64(s.opt.Mirostat.Target)))
	return s.cand[i].id
}

// surprise is -log2 p.
func surprise(p float32) float64 {
	if p <= 0 {
		return math.Inf(1)
	}
	return -ln(float64(p)) / math.Ln2
}

// softmax returns the candidates' probabilities at temperature t.
func (s *sampler) softmax(t float32) []float32 {
	most := top(s.cand)
	s.probs = s.probs[:0]
	for _, c := range s.cand {
		s.probs = append(s.probs, (c.logit-most)/t)
	}
	kernels.Softmax(s.probs, s.probs)
	return s.probs
}

// lnSum returns the logarithm of the sum of the candidates' e**logit.
func (s *sampler) lnSum() float32 {
	return top(s.cand) - float32(ln(float64(slices.Max(s.softmax(1)))))
}

// pick draws an index by its probability.
func (s *sampler) pick(probs []float32) int {
	var total float64
	for _, p := range probs {
		total += float64(p)
	}
	u := float64(float64(s.rng.Uint64()>>11) * 0x1p-53 * total)
	last := 0
	for i, p := range probs {
		if p > 0 {
			if last = i; u < float64(p) {
				break
			}
			u -= float64(p)
		}
	}
	return last
}

// top returns the greatest logit.
func top(c []candidate) float32 {
	m := float32(math.Inf(-1))
	for _, c := range c {
		m = max(m, c.logit)
	}
	return m
}
