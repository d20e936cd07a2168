package expert

import (
	"fmt"

	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/tensor"
)

// Expert is one gated feed-forward network: down(act(gate x, up x)).
type Expert struct {
	Gate, Up tensor.Linear // (FF, Dim)
	Down     tensor.Linear // (Dim, FF)
}

// FF returns the length of the hidden layer.
func (e *Expert) FF() int { return e.Gate.Out() }

// Bytes returns the bytes of weights that one token reads.
func (e *Expert) Bytes() int64 { return e.Gate.Bytes() + e.Up.Bytes() + e.Down.Bytes() }

// Activation is the function that joins gate and up.
type Activation uint8

const (
	SwiGLU        Activation = iota // silu(gate) * up
	SwiGLUClamped                   // g*sigmoid(Alpha*g) * (u+1), g = min(gate, Limit), u = clamp(up, +-Limit)
)

func (a Activation) String() string {
	switch a {
	case SwiGLU:
		return "swiglu"
	case SwiGLUClamped:
		return "swiglu-clamped"
	}
	return fmt.Sprintf("Activation(%d)", uint8(a))
}

// Spec is what the experts of a model have in common.
type Spec struct {
	Activation   Activation
	Alpha, Limit float32 // of SwiGLUClamped
	WeightBefore bool    // the weight multiplies the expert's input, not its output
}

// activate sets gate[i] to the activation of gate[i] and up[i].
func (s *Spec) activate(gate, up []float32) {
	switch s.Activation {
	case SwiGLUClamped:
		kernels.SwiGLUClamped(gate, gate, up, s.Alpha, s.Limit)
	default:
		kernels.SwiGLU(gate, gate, up)
	}
}
