package moe

import "context"

// LogProbs returns for each token the logarithm of its probability given those
// before it; 0 for the first. The sum over n tokens, divided by 1-n, is the loss
// of the text, and e to that its perplexity.
func (m *Model) LogProbs(ctx context.Context, ids []int32) ([]float32, error) {
	all, err := m.LogProbsBatch(ctx, [][]int32{ids})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// LogProbsBatch is LogProbs for many sequences at once: short ones share the
// passes through the model. The values are the same.
func (m *Model) LogProbsBatch(ctx context.Context, seqs [][]int32) ([][]float32, error) {
	all := make([][]float32, len(seqs))
	var steps []Step
	scratch := make([]float32, m.cfg.Vocab)
	for k, ids := range seqs {
		p := make([]float32, len(ids))
		all[k] = p
		if len(ids) < 2 {
			continue
		}
		steps = append(steps, Step{State: m.NewState(), Tokens: ids[:len(ids)-1], each: func(i int, logits []float32) {
			if next := ids[i+1]; next >= 0 && int(next) < len(logits) {
				p[i+1] = logits[next] - logNorm(scratch, logits)
			}
		}})
	}
	return all, m.ForwardBatch(ctx, steps)
}
