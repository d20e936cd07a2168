// Package expert computes experts: gated feed-forward networks of which a token
// passes through a few. It knows nothing of how they were chosen: a choice comes
// as expert numbers and weights.
package expert
