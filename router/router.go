package router

import (
	"errors"
	"fmt"
)

// Router chooses experts. It never changes, so any number of goroutines may share it, each with a Scratch of its own.
type Router struct {
	spec Spec
	bias []float32 // E, or nil
}

// New returns a router. The selection bias (E values, or nil for none) is added to the scores for choosing and never
// enters a weight; it is copied. Minus infinity bars an expert as long as enough others are left.
// Errors wrap ErrSpec and ErrShape and report all misfits at once.
func New(spec Spec, selectionBias []float32) (*Router, error) {
	errs := []error{spec.Validate()}
	if selectionBias != nil {
		if len(selectionBias) != spec.Experts {
			errs = append(errs, fmt.Errorf("%w: selection bias: want Experts (%d) values, found %d", ErrShape, spec.Experts, len(selectionBias)))
		}
		if spec.Score == SparseMixer {
			errs = append(errs, fmt.Errorf("%w: Score: want no sparsemixer with a selection bias, found %v", ErrSpec, spec.Score))
		}
		for i, b := range selectionBias {
			if b != b {
				errs = append(errs, fmt.Errorf("%w: selection bias of expert %d: want a number, found %v", ErrSpec, i, b))
				break
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if spec.Scale == 0 {
		spec.Scale = 1
	}
	return &Router{spec: spec, bias: append([]float32(nil), selectionBias...)}, nil
}

// Spec returns what the router was made from, with defaults filled in.
func (r *Router) Spec() Spec { return r.spec }

// Route sends one token, with logits (E), to its experts: it writes the k chosen to ids in descending order of choice
// score, equal scores by ascending id, what their outputs are to be multiplied by to weights, and returns how many
// it kept: k, or fewer, at least 1, if the spec has a MinGate; the rest of the k then hold id -1 and weight 0.
//
// ids and weights have room for at least k values; of longer slices the rest is left alone. The logits are not
// changed. If a length does not fit, nothing is chosen and 0 returned. Route allocates nothing once s has grown; a nil
// s is replaced by a new one.
//
// Whatever the logits, the ids are k distinct valid ones. A choice score that is NaN counts as minus infinity; the
// weights of a token with logits that are not finite may be NaN.
func (r *Router) Route(ids []int32, weights, logits []float32, s *Scratch) int {
	k := r.spec.TopK
	if len(ids) < k || len(weights) < k || len(logits) != r.spec.Experts {
		return 0
	}
	if s == nil {
		s = new(Scratch)
	}
	s.grow(r.spec.Experts)
	ids, weights = ids[:k], weights[:k]
	scores := r.spec.Score.score(s.scores[:len(logits)], logits)
	r.choose(ids, scores, s)
	r.weigh(weights, ids, scores, logits, s)
	return r.drop(ids, weights)
}

// RouteBatch routes n tokens one by one: logits (n, E) to ids and weights (n, k), as Route would each.
// Choices dropped by MinGate are id -1 with weight 0. An error wraps ErrShape, and then nothing was written.
func (r *Router) RouteBatch(ids []int32, weights, logits []float32, n int, s *Scratch) error {
	e, k := r.spec.Experts, r.spec.TopK
	var errs []error
	for _, a := range []struct {
		name       string
		found, per int
	}{{"ids", len(ids), k}, {"weights", len(weights), k}, {"logits", len(logits), e}} {
		if n < 0 || a.per > 0 && a.found/a.per < n {
			errs = append(errs, fmt.Errorf("%w: %s: want %d for each of %d tokens, found %d", ErrShape, a.name, a.per, n, a.found))
		}
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	if s == nil {
		s = NewScratch(e)
	}
	for t := range n {
		r.Route(ids[t*k:(t+1)*k], weights[t*k:(t+1)*k], logits[t*e:(t+1)*e], s)
	}
	return nil
}

// Weigh writes to weights what the outputs of the given experts, all different, are multiplied by if a token with
// these logits (E) is sent to them by somebody else's choice: a table of tokens, say, or a person's. For the ids that
// Route chooses they are Route's weights. MinGate plays no part. Errors wrap ErrShape and ErrID.
func (r *Router) Weigh(weights []float32, ids []int32, logits []float32, s *Scratch) error {
	if len(logits) != r.spec.Experts {
		return fmt.Errorf("%w: logits: want Experts (%d), found %d", ErrShape, r.spec.Experts, len(logits))
	}
	if len(weights) < len(ids) {
		return fmt.Errorf("%w: weights: want one for each of %d ids, found %d", ErrShape, len(ids), len(weights))
	}
	for i, id := range ids {
		if id < 0 || int(id) >= len(logits) || contains(ids[:i], id) {
			return fmt.Errorf("%w: choice %d: want a new one of 0 to %d, found %d", ErrID, i, len(logits)-1, id)
		}
	}
	if s == nil {
		s = new(Scratch)
	}
	s.grow(len(logits))
	scores := r.spec.Score.score(s.scores[:len(logits)], logits)
	r.weigh(weights[:len(ids)], ids, scores, logits, s)
	return nil
}

// choose writes the k experts with the greatest choice score to ids.
func (r *Router) choose(ids []int32, scores []float32, s *Scratch) {
	choice := scores
	if len(r.bias) > 0 {
		choice = s.choice[:len(scores)]
		for i, b := range r.bias[:len(scores)] {
			choice[i] = scores[i] + b
		}
	}
	b := best{keys: s.keys[:len(ids)]}
	if r.spec.Groups <= 1 {
		b.offer(choice, 0)
	} else {
		size := len(choice) / r.spec.Groups
		for g, kept := range r.keepGroups(choice, size, s) {
			first := g * size
			switch {
			case kept:
				b.offer(choice[first:first+size], first)
			case r.spec.MaskToZero:
				b.offerZeros(size, first)
			}
		}
	}
	for i, k := range b.keys {
		ids[i] = keyID(k)
	}
}

// keepGroups says of each group of size experts whether it is among the TopGroups best.
func (r *Router) keepGroups(choice []float32, size int, s *Scratch) []bool {
	values, kept := s.groups[:r.spec.Groups], s.kept[:r.spec.Groups]
	for g := range values {
		values[g] = groupScore(choice[g*size:(g+1)*size], r.spec.GroupScore)
	}
	b := best{keys: s.keys[:r.spec.TopGroups]}
	b.offer(values, 0)
	clear(kept)
	for _, k := range b.keys {
		kept[keyID(k)] = true
	}
	return kept
}

func groupScore(choice []float32, f GroupScore) float32 {
	first, second := negInf, negInf
	for _, v := range choice {
		if v > second {
			if v > first {
				first, second = v, first
			} else {
				second = v
			}
		}
	}
	if f == GroupTop2Sum {
		return first + second
	}
	return first
}

// drop removes the choices that fall short of MinGate, keeping the order of the others, and returns their number.
func (r *Router) drop(ids []int32, weights []float32) int {
	if r.spec.MinGate == 0 {
		return len(ids)
	}
	largest := weights[0]
	for _, w := range weights {
		largest = max(largest, w)
	}
	n := 0
	for i, w := range weights {
		if !(w < r.spec.MinGate*largest) {
			ids[n], weights[n] = ids[i], w
			n++
		}
	}
	for i := n; i < len(ids); i++ {
		ids[i], weights[i] = -1, 0
	}
	return n
}
