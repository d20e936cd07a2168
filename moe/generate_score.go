package moe

import (
	"context"
	"fmt"
)

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
		if err := m.checkTokens(ids); err != nil {
			return nil, fmt.Errorf("sequence %d: %w", k, err)
		}
		if len(ids) < 2 {
			continue
		}
		steps = append(steps, Step{State: m.NewState(), Tokens: ids[:len(ids)-1], each: func(i int, logits []float32) {
			p[i+1] = logits[ids[i+1]] - logNorm(scratch, logits)
		}})
	}
	return all, m.ForwardBatch(ctx, steps)
}

// checkTokens reports the first id that is not one of the model's.
func (m *Model) checkTokens(ids []int32) error {
	for i, id := range ids {
		if id < 0 || int(id) >= m.cfg.Vocab {
			return fmt.Errorf("%w: token %d: want 0 to %d, found %d", ErrToken, i, m.cfg.Vocab-1, id)
		}
	}
	return nil
}
