// Package expert computes experts: gated feed-forward networks of which a token
// passes through a few. It knows nothing of how they were chosen: a choice comes
// as expert numbers and weights.
//
// A [Mixture] computes a layer's experts for a chunk of tokens. Experts that do not
// fit in memory lie in a [Store], which keeps those that its [Policy] thinks worth
// it within a budget and reads the others when a [Lease] asks for them. What an
// Expert of a lease refers to is valid until the lease's next wave.
package expert
