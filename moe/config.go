package moe

import (
	"errors"
	"fmt"

	"github.com/coterie-go/coterie/expert"
	"github.com/coterie-go/coterie/router"
)

// Config is everything that distinguishes one model from another. Families are
// values of it: what varies is a field named for its behaviour.
type Config struct {
	Family string // for display only; nothing branches on it

	Vocab, Dim int
	Context    int  // positions the model was made for
	Norm       Norm // of the residual stream
	NormEps    float32
	Layers     []LayerConfig

	// Multipliers; 0 stands for 1.
	EmbedScale    float32 // of the embedding
	ResidualScale float32 // of what a layer adds to the residual stream
	LogitScale    float32 // of the logits

	// Attention. Latent is nil for grouped-query attention.
	Heads, KVHeads int
	HeadDim        int // of queries and keys
	ValueDim       int // of values
	Latent         *LatentConfig
	Indexer        *IndexerConfig // nil if tokens attend to all before them
	Delta          *DeltaConfig   // of layers without attention
	AttnScale      float32        // of scores, usually 1/sqrt(HeadDim)
	QKNorm         QKNorm
	LateQKNorm     bool    // after rotation, not before
	QKVClip        float32 // queries, keys and values are clamped to +-QKVClip; 0 for no
	RoPE           RoPE
	AttnGate       bool // the heads' outputs are multiplied by sigmoid(w x)
	Temperature    Temperature

	// Mixture.
	Router     router.Spec
	Expert     expert.Spec
	ExpertFF   int  // hidden length of a routed expert
	SharedFF   int  // hidden length of the experts that are always on, 0 for none
	SharedGate bool // they are weighed by sigmoid(w x)
	DenseFF    int  // hidden length of the layers without routing

	// Tokens that begin and end a text, if the config names them; -1 for none.
	BOS int32
	EOS []int32

	TiedOutput bool // the output matrix is the embedding
	Drafts     int  // prediction layers behind the last one
}

// LayerConfig is what varies from layer to layer.
type LayerConfig struct {
	Dense  bool // one expert that is always on, no routing
	Window int  // keys that a query sees, itself included; 0 for all before it
	Chunk  int  // a query sees those of its own run of Chunk positions only; 0 for all
	NoRoPE bool // queries and keys are not turned

	Recurrent bool // a gated delta net in place of attention
}

// Norm says how rows of the residual stream are normed.
type Norm uint8

const (
	RMSNorm   Norm = iota
	LayerNorm      // the mean is taken off, and there is a bias
)

// Temperature sharpens the attention of layers without rotation as the text grows
// (Nakanishi, 2025): queries at position t are multiplied by
// 1 + Scale*ln(1 + floor((t+1)/Floor)). Floor 0 stands for no.
type Temperature struct{ Scale, Floor float32 }

// LatentConfig describes attention over a compressed row (DeepSeek-V2, 2024): the
// cache holds KVRank latent and RopeDim rotary values for a token, shared by all
// heads.
type LatentConfig struct {
	QRank   int // queries pass through QRank values; 0 for directly
	KVRank  int
	NopeDim int // of each head's query and key without rotation
	RopeDim int // and with
}

// QKNorm says what queries and keys are normalised over before rotation.
type QKNorm uint8

const (
	NoQKNorm   QKNorm = iota
	HeadQKNorm        // each head by itself
	FullQKNorm        // all heads of a token together
	UnitQKNorm        // each head by itself, without weights, in layers that turn them only
)

// Routed returns the number of layers with routing.
func (c *Config) Routed() int {
	n := 0
	for _, l := range c.Layers {
		if !l.Dense {
			n++
		}
	}
	return n
}

// Validate reports every misfit at once.
func (c *Config) Validate() error {
	var errs []error
	bad := func(name, want string, found any) {
		errs = append(errs, fmt.Errorf("%w: %s: want %s, found %v", ErrConfig, name, want, found))
	}
	positive := func(name string, v, limit int) {
		if v < 1 || v > limit {
			bad(name, fmt.Sprintf("1 to %d", limit), v)
		}
	}
	positive("vocabulary", c.Vocab, 1<<24)
	positive("hidden size", c.Dim, 1<<20)
	positive("layers", len(c.Layers), 1<<12)
	positive("context length", c.Context, 1<<30)
	positive("attention heads", c.Heads, 1<<14)
	positive("key-value heads", c.KVHeads, 1<<14)
	positive("head size", c.HeadDim, 1<<14)
	positive("value head size", c.ValueDim, 1<<14)
	if !(c.NormEps > 0 && c.NormEps < 1) {
		bad("norm epsilon", "between 0 and 1", c.NormEps)
	}
	if c.KVHeads > 0 && c.Heads%c.KVHeads != 0 {
		bad("attention heads", fmt.Sprintf("a multiple of the %d key-value heads", c.KVHeads), c.Heads)
	}
	if l := c.Latent; l != nil {
		positive("latent rank", l.KVRank, 1<<16)
		positive("rotary head size", l.RopeDim, 1<<12)
		positive("head size without rotation", l.NopeDim, 1<<12)
		if l.QRank < 0 || l.QRank > 1<<16 {
			bad("query rank", "0 to 65536", l.QRank)
		}
	}
	if c.AttnGate && (c.Latent != nil || c.ValueDim != c.HeadDim) {
		bad("attention gate", "values as long as queries", c.ValueDim)
	}
	if c.Indexer != nil {
		c.Indexer.validate(c, bad)
	}
	if c.Delta != nil {
		c.Delta.validate(bad)
	}
	if d := c.RoPE.Dim; d < 0 || d%2 != 0 || d > c.HeadDim {
		bad("rotary size", fmt.Sprintf("an even number up to the head size %d", c.HeadDim), d)
	}
	for _, f := range []struct {
		name string
		v    float32
	}{
		{"embedding scale", c.EmbedScale}, {"residual scale", c.ResidualScale}, {"logit scale", c.LogitScale},
		{"attention scale", c.AttnScale}, {"temperature scale", c.Temperature.Scale}, {"temperature floor", c.Temperature.Floor},
	} {
		if !(f.v >= 0 && f.v <= 1e6) {
			bad(f.name, "0 to 1e6", f.v)
		}
	}
	if err := c.RoPE.validate(); err != nil {
		errs = append(errs, err)
	}
	dense := false
	for i, l := range c.Layers {
		dense = dense || l.Dense
		if l.Window < 0 {
			bad(fmt.Sprintf("window of layer %d", i), "0 or more", l.Window)
		}
		if l.Recurrent && c.Delta == nil {
			bad(fmt.Sprintf("layer %d", i), "the sizes of a delta net", "none")
		}
		if l.Chunk < 0 {
			bad(fmt.Sprintf("attention chunk of layer %d", i), "0 or more", l.Chunk)
		}
	}
	if dense {
		positive("feed-forward size", c.DenseFF, 1<<22)
	}
	if c.Routed() > 0 {
		positive("expert feed-forward size", c.ExpertFF, 1<<22)
		if err := c.Router.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%w: %w", ErrConfig, err))
		}
		if c.Router.Experts > 1<<14 {
			bad("experts", "up to 16384", c.Router.Experts)
		}
	}
	if c.SharedFF < 0 || c.SharedFF > 1<<22 {
		bad("shared feed-forward size", "0 to 4194304", c.SharedFF)
	}
	return errors.Join(errs...)
}
