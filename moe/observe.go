package moe

import "github.com/coterie-go/coterie/tensor"

// Activation is a row that a weight matrix is about to be multiplied with. Tensor is
// the matrix's GGUF name, whichever way the checkpoint spells it; X has a value for
// each of its columns and is valid during the call.
type Activation = tensor.Activation

// An ActivationObserver is shown every row of activations that a weight matrix is
// multiplied with: of routed experts the tokens that go to each, of latent attention
// a row for each head. The calls of one Forward come one after another;
// different Forwards may call at once.
type ActivationObserver func(Activation)

// WithActivationObserver sets an observer of activations. Without one nothing is
// paid for it.
func WithActivationObserver(f ActivationObserver) Option {
	return func(o *options) error { o.activate = f; return nil }
}

// show passes each head's rows to the observer.
func (p *latentTasks) show() {
	f := p.r.m.opts.activate
	if f == nil {
		return
	}
	n := len(p.r.ids)
	for h := range p.maps {
		for t := range n {
			f(Activation{Tensor: p.maps[h].Name, Part: h, Parts: len(p.maps), X: p.x.Row(h*n + t)})
		}
	}
}
