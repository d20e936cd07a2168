package router

// weigh writes what each of the chosen ids is to be multiplied by.
func (r *Router) weigh(weights []float32, ids []int32, scores, logits []float32, s *Scratch) {
	switch r.spec.Score {
	case SparseMixer:
		r.sparseMix(weights, ids, logits)
	case SoftmaxTopK:
		gather(weights, logits, ids)
		softmax(weights, weights)
	case SigmoidTopK:
		gather(weights, logits, ids)
		sigmoid(weights, weights)
	case SigmoidSoftmax:
		softmax(s.scores[:len(logits)], logits) // the scores have served
		gather(weights, s.scores, ids)
	default:
		gather(weights, scores, ids)
	}
	if r.spec.Normalize {
		var sum float32
		for _, w := range weights {
			sum += w
		}
		sum = max(sum+r.spec.NormEps, r.spec.NormMin)
		for i := range weights {
			weights[i] /= sum
		}
	}
	if r.spec.Scale != 1 {
		for i := range weights {
			weights[i] *= r.spec.Scale
		}
	}
}

func gather(dst, x []float32, ids []int32) {
	for i, id := range ids {
		dst[i] = x[id]
	}
}

// sparseMix weighs each choice by a softmax over the experts not chosen before it and close enough to the best of
// them, m: those with (m-z)/max(|z|, m) <= 2*SparseEps.
func (r *Router) sparseMix(weights []float32, ids []int32, logits []float32) {
	limit := 2 * r.spec.SparseEps
	for j, id := range ids {
		m := negInf
		for i, z := range logits {
			if z > m && !contains(ids[:j], int32(i)) {
				m = z
			}
		}
		far := func(z float32) bool { return (m-z)/max(z, -z, m) > limit }
		var sum float32
		for i, z := range logits {
			if !far(z) && !contains(ids[:j], int32(i)) {
				sum += exp(z - m)
			}
		}
		if weights[j] = 0; !far(logits[id]) {
			weights[j] = exp(logits[id]-m) / sum
		}
	}
}

func contains(ids []int32, id int32) bool {
	for _, v := range ids {
		if v == id {
			return true
		}
	}
	return false
}
