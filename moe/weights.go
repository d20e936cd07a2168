package moe

import (
	"github.com/coterie-go/coterie/expert"
	"github.com/coterie-go/coterie/router"
	"github.com/coterie-go/coterie/tensor"
)

// weights are a model's parameters: views of its files, shared by all states.
// Parts that a family does not have are nil.
type weights struct {
	embed  *tensor.Linear // (Vocab, Dim)
	norm   []float32      // (Dim)
	bias   []float32      // (Dim) of norm, or nil
	output *tensor.Linear // (Vocab, Dim), the embedding if they are tied
	layers []layer
}

// layer holds one layer's parameters.
type layer struct {
	attnNorm, ffnNorm []float32 // (Dim)
	attnBias, ffnBias []float32 // (Dim) of the norms, or nil

	// Grouped-query attention.
	q            *tensor.Linear // (Heads*HeadDim, Dim)
	k            *tensor.Linear // (KVHeads*HeadDim, Dim)
	v            *tensor.Linear // (KVHeads*ValueDim, Dim)
	qNorm, kNorm []float32      // (HeadDim) or (all heads)
	sinks        []float32      // (Heads)
	attnOut      *tensor.Linear // (Dim, Heads*ValueDim)
	attnForms    tensor.Forms   // of the normed input
	attnOutForms tensor.Forms   // of the attention's output
	window       int
	chunk        int
	turned       bool // queries and keys are turned by their positions

	// Latent attention.
	qA, qB  *tensor.Linear // (QRank, Dim), (Heads*HeadDim, QRank)
	qANorm  []float32      // (QRank)
	qBForms tensor.Forms
	kvA     *tensor.Linear  // (KVRank+RopeDim, Dim)
	kvANorm []float32       // (KVRank)
	kB      []tensor.Linear // a head each: NopeDim to KVRank
	vB      []tensor.Linear // a head each: KVRank to ValueDim
	index   *indexer        // of what to attend to, or nil
	kBForms tensor.Forms
	vBForms tensor.Forms

	delta *deltaLayer // in place of all of these but attnOut

	// Mixture.
	router     *tensor.Linear // (Experts, Dim)
	routes     *router.Router
	selectBias []float32 // (Experts) added to scores for choosing only
	experts    []expert.Expert
	shared     []*expert.Expert
	sharedGate *tensor.Linear // (1, Dim)
	ffnForms   tensor.Forms
}
