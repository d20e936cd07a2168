package router

import (
	"errors"
	"fmt"
	"math"
)

// Score names the function that turns the router's logits z into the scores by which experts are chosen and weighed.
// The package documentation has the formulas.
type Score uint8

const (
	Softmax        Score = iota // softmax over all experts, for choice and weight
	Sigmoid                     // each expert by itself
	SoftmaxTopK                 // chosen by z, weighed by a softmax over the chosen only
	SigmoidTopK                 // chosen by z, weighed by the sigmoid of the chosen
	SqrtSoftplus                // the square root of softplus(z)
	SparseMixer                 // one at a time, each weighed against its near rivals only
	SigmoidSoftmax              // chosen by the sigmoid, weighed by the softmax over all experts
	scores
)

var scoreNames = [scores]string{"softmax", "sigmoid", "softmax-topk", "sigmoid-topk", "sqrt-softplus", "sparsemixer", "sigmoid-softmax"}

func (s Score) String() string {
	if s < scores {
		return scoreNames[s]
	}
	return fmt.Sprintf("Score(%d)", uint8(s))
}

// GroupScore names what a group of experts is worth when whole groups are chosen first.
type GroupScore uint8

const (
	GroupMax     GroupScore = iota // its best choice score
	GroupTop2Sum                   // the sum of its two best choice scores
	groupScores
)

var groupScoreNames = [groupScores]string{"max", "top2-sum"}

func (g GroupScore) String() string {
	if g < groupScores {
		return groupScoreNames[g]
	}
	return fmt.Sprintf("GroupScore(%d)", uint8(g))
}

// Spec says how experts are chosen and weighed. It is plain data: a model family is one value of it.
type Spec struct {
	Experts int // E: how many there are
	TopK    int // k: how many a token is sent to

	Score Score

	// With Groups > 1 the experts form Groups runs of equal length and only those in the best TopGroups groups keep
	// their choice score. The others take part with a choice score of 0 if MaskToZero (they may still be chosen when
	// a selection bias makes the kept ones negative), and not at all otherwise.
	Groups     int // 0 and 1: no grouping
	TopGroups  int
	GroupScore GroupScore
	MaskToZero bool

	// Normalize divides the chosen weights by max(sum + NormEps, NormMin).
	Normalize bool
	NormEps   float32
	NormMin   float32

	Scale float32 // what the weights are multiplied by last; 0 stands for 1

	SparseEps float32 // SparseMixer's jitter: rivals further than 2*SparseEps away, relatively, do not count

	// MinGate drops a choice whose final weight is less than MinGate times the token's largest; 0 keeps all.
	// The remaining weights stay as they are. This departs from what the model was trained with.
	MinGate float32
}

// Validate reports every misfit of the spec at once; each wraps ErrSpec.
func (s Spec) Validate() error {
	var errs []error
	misfit := func(field, want string, found any) {
		errs = append(errs, fmt.Errorf("%w: %s: want %s, found %v", ErrSpec, field, want, found))
	}
	if s.Experts < 1 || s.Experts > math.MaxInt32 {
		misfit("Experts", "1 to 2147483647", s.Experts)
	}
	if s.TopK < 1 || s.TopK > s.Experts {
		misfit("TopK", fmt.Sprintf("1 to Experts (%d)", s.Experts), s.TopK)
	}
	if s.Score >= scores {
		misfit("Score", fmt.Sprintf("below %d", scores), uint8(s.Score))
	}
	s.validateGroups(misfit)
	for _, f := range []struct {
		name string
		v    float32
		max  float32
	}{
		{"NormEps", s.NormEps, math.MaxFloat32},
		{"NormMin", s.NormMin, math.MaxFloat32},
		{"Scale", s.Scale, math.MaxFloat32},
		{"SparseEps", s.SparseEps, math.MaxFloat32},
		{"MinGate", s.MinGate, 1},
	} {
		if !(f.v >= 0 && f.v <= f.max) {
			misfit(f.name, fmt.Sprintf("0 to %g", f.max), f.v)
		}
	}
	return errors.Join(errs...)
}

func (s Spec) validateGroups(misfit func(field, want string, found any)) {
	if s.GroupScore >= groupScores {
		misfit("GroupScore", fmt.Sprintf("below %d", groupScores), uint8(s.GroupScore))
	}
	if s.Groups < 0 {
		misfit("Groups", "0 or more", s.Groups)
	}
	if s.Groups <= 1 {
		return
	}
	if s.Score == SparseMixer {
		misfit("Groups", "none with sparsemixer", s.Groups)
	}
	if s.TopGroups < 1 || s.TopGroups > s.Groups {
		misfit("TopGroups", fmt.Sprintf("1 to Groups (%d)", s.Groups), s.TopGroups)
		return
	}
	if s.Experts < 1 || s.Experts%s.Groups != 0 {
		misfit("Groups", fmt.Sprintf("a divisor of Experts (%d)", s.Experts), s.Groups)
		return
	}
	size := s.Experts / s.Groups
	if s.GroupScore == GroupTop2Sum && size < 2 {
		misfit("Groups", "at least 2 experts in a group for top2-sum", s.Groups)
	}
	if !s.MaskToZero && s.TopK > s.TopGroups*size {
		misfit("TopK", fmt.Sprintf("at most the %d experts of %d groups", s.TopGroups*size, s.TopGroups), s.TopK)
	}
}
