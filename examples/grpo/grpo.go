package main

import "math"

// The forward half of group-relative policy optimisation: everything that a
// training step computes before it turns to gradients.
//
// Shao et al., "DeepSeekMath", 2024, section 4.1; DeepSeek-AI, "DeepSeek-R1", 2025,
// section 2.2.1.

// advantages returns A_i = (r_i - mean r) / std r over a group's rewards, with the
// standard deviation of the population. A group of equal rewards teaches nothing:
// all advantages are 0.
func advantages(rewards []float64) []float64 {
	n := float64(len(rewards))
	var mean, variance float64
	for _, r := range rewards {
		mean += r / n
	}
	for _, r := range rewards {
		variance += (r - mean) * (r - mean) / n
	}
	a := make([]float64, len(rewards))
	if variance == 0 {
		return a
	}
	for i, r := range rewards {
		a[i] = (r - mean) / math.Sqrt(variance)
	}
	return a
}

// ratio returns pi(o)/pi_old(o) for one token, from log-probabilities.
func ratio(policy, old float64) float64 { return math.Exp(policy - old) }

// clipped returns min(ratio*A, clip(ratio, 1-eps, 1+eps)*A), the surrogate of
// Schulman et al., 2017, for one token.
func clipped(ratio, advantage, eps float64) float64 {
	return min(ratio*advantage, min(max(ratio, 1-eps), 1+eps)*advantage)
}

// k3 estimates KL(pi || pi_ref) from one token drawn from pi, without bias and
// never below 0 (Schulman, "Approximating KL divergence", 2020):
// pi_ref/pi - log(pi_ref/pi) - 1.
func k3(policy, reference float64) float64 {
	d := reference - policy
	return math.Exp(d) - d - 1
}

// completion is one sampled answer: its tokens' log-probabilities under the policy
// that sampled it, the policy being trained, and the reference.
type completion struct {
	old, policy, reference []float64
	advantage              float64
}

// objective returns GRPO's objective for one prompt,
//
//	1/G sum_i 1/|o_i| sum_t ( clipped(ratio_it, A_i, eps) - beta * k3_it ),
//
// and the mean of k3 over all tokens by itself.
func objective(group []completion, eps, beta float64) (value, kl float64) {
	tokens := 0
	for _, c := range group {
		var sum float64
		for t := range c.policy {
			d := k3(c.policy[t], c.reference[t])
			sum += clipped(ratio(c.policy[t], c.old[t]), c.advantage, eps) - beta*d
			kl += d
			tokens++
		}
		if len(c.policy) > 0 {
			value += sum / float64(len(c.policy)) / float64(len(group))
		}
	}
	return value, kl / float64(max(tokens, 1))
}
