package moe

import (
	"errors"
	"fmt"
)

// ErrNoToken says that penalties, biases or the hook left no token to choose.
var ErrNoToken = errors.New("moe: no token left to choose")

// Sampling says how tokens are chosen and when to stop. Its zero value takes the
// most likely token each time, until the model ends the text or the context is
// full.
//
// Logits are changed in this order: Bias and IgnoreEnd, the penalties, Hook. Of
// the tokens that remain TopK, Typical, TopP and MinP keep some, in this order,
// judged by the model's own distribution; then one is drawn from what is left at
// Temperature. Equally likely tokens rank by id.
//
// The same model, prompt, options and seed give the same tokens on every machine:
// the arithmetic has one order, exp is kernels.Exp, and random numbers come from
// PCG-DXSM (math/rand/v2) seeded with (Seed, 0), one 64-bit number a token.
type Sampling struct {
	Temperature float32 // logits are divided by it; 0: the most likely token, no draw
	TopK        int     // keep the k most likely; 0: all
	TopP        float32 // keep the most likely that together reach this probability; 0 or 1: all
	MinP        float32 // keep those at least MinP times as likely as the most likely
	Typical     float32 // keep the most typical that together reach this probability (Meister et al., 2022); 0 or 1: all
	Mirostat    *Mirostat
	Seed        uint64

	// RepeatPenalty divides positive logits of tokens that occur in the prompt of
	// this call or in what was generated, and multiplies negative ones (Keskar et
	// al., 2019); 0 or 1 for none. With RepeatLast only the last so many tokens count.
	RepeatPenalty float32
	RepeatLast    int

	// Subtracted from the logit of a token that was generated: once for each time,
	// and once.
	FrequencyPenalty float32
	PresencePenalty  float32

	Bias map[int32]float32 // added to logits; -Inf forbids a token

	// Hook may change the logits (Vocab) before a token is chosen; -Inf forbids a
	// token. It is given the tokens chosen so far, and must keep neither slice. Its
	// error ends the generation.
	Hook func(generated []int32, logits []float32) error

	MaxTokens  int      // 0: up to the context's end
	Stop       []string // the text ends before the first of these
	StopTokens []int32  // and before these, as before those that the model ends with
	IgnoreEnd  bool     // tokens that end the text are never chosen

	TopLogProbs int  // alternatives that each Token lists
	Special     bool // Text spells special tokens out, but for those that end the text
	Echo        bool // the prompt's tokens come first
}

// Mirostat keeps the surprise of the text near a target by adapting a bound on the
// surprise of single tokens (version 2; Basu et al., 2021). It takes the place of
// TopK, Typical, TopP and MinP.
type Mirostat struct {
	Target float32 // bits a token, tau; usually 3 to 5
	Rate   float32 // eta; usually 0.1
}

// validate reports every misfit at once.
func (o *Sampling) validate(vocab int) error {
	var errs []error
	bad := func(name, want string, found any) {
		errs = append(errs, fmt.Errorf("%w: %s: want %s, found %v", ErrOption, name, want, found))
	}
	within := func(name string, v, lo, hi float32) {
		if !(v >= lo && v <= hi) {
			bad(name, fmt.Sprintf("%v to %v", lo, hi), v)
		}
	}
	within("temperature", o.Temperature, 0, 1e6)
	within("top-p", o.TopP, 0, 1)
	within("min-p", o.MinP, 0, 1)
	within("typical", o.Typical, 0, 1)
	within("repeat penalty", o.RepeatPenalty, 0, 1e6)
	within("frequency penalty", o.FrequencyPenalty, -1e6, 1e6)
	within("presence penalty", o.PresencePenalty, -1e6, 1e6)
	for _, c := range []struct {
		name string
		v    int
	}{
		{"top-k", o.TopK}, {"repeat window", o.RepeatLast}, {"maximum of tokens", o.MaxTokens}, {"top log-probabilities", o.TopLogProbs},
	} {
		if c.v < 0 {
			bad(c.name, "0 or more", c.v)
		}
	}
	if m := o.Mirostat; m != nil {
		if !(o.Temperature > 0) {
			bad("mirostat", "a temperature above 0", o.Temperature)
		}
		within("mirostat target", m.Target, 0, 64)
		within("mirostat rate", m.Rate, 0, 1)
	}
	for id, b := range o.Bias {
		if id < 0 || int(id) >= vocab {
			bad("bias", fmt.Sprintf("tokens 0 to %d", vocab-1), id)
		}
		if b != b {
			bad("bias", "a number", b)
		}
	}
	for _, s := range o.Stop {
		if s == "" {
			bad("stop", "no empty text", `""`)
		}
	}
	return errors.Join(errs...)
}
