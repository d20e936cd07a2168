package moe

import (
	"fmt"
	"math"
)

// RoPE describes rotary position embedding (Su et al., 2021): the first Dim
// values of a head are turned in pairs, pair i at position t by the angle
// t*freq(i), freq(i) = Base**(-2i/Dim), after the corrections of Scaling.
type RoPE struct {
	Dim     int
	Base    float32
	Pairs   bool // neighbours (2i, 2i+1) form a pair; otherwise (i, i+Dim/2)
	Scaling Scaling

	Factors []float32 // (Dim/2) divisors of the frequencies that a file brings along, or nil
}

// Scaling stretches the frequencies for longer texts.
type Scaling struct {
	Kind     ScalingKind
	Factor   float32
	Original int // positions before stretching

	// YaRN (Peng et al., 2023)
	BetaFast, BetaSlow float32
	Round              bool    // the range of the ramp is rounded to whole pairs
	Magnitude          float32 // what cosines and sines are multiplied by

	// Llama 3
	LowFreq, HighFreq float32
}

// ScalingKind names a way of stretching.
type ScalingKind uint8

const (
	NoScaling ScalingKind = iota
	Linear
	YaRN
	Llama3
)

func (r *RoPE) validate() error {
	s := &r.Scaling
	switch {
	case !(r.Base > 1) || r.Base > 1e12:
		return fmt.Errorf("%w: rotary base: want 1 to 1e12, found %v", ErrConfig, r.Base)
	case s.Kind != NoScaling && !(s.Factor > 0 && s.Factor <= 1e6):
		return fmt.Errorf("%w: rotary scaling factor: want 0 to 1e6, found %v", ErrConfig, s.Factor)
	case s.Kind >= YaRN && (s.Original < 1 || s.Original > 1<<30):
		return fmt.Errorf("%w: original context of rotary scaling: want 1 to %d, found %d", ErrConfig, 1<<30, s.Original)
	case s.Kind == Llama3 && !(s.HighFreq >= s.LowFreq && s.LowFreq > 0):
		return fmt.Errorf("%w: rotary frequency factors: want 0 < low <= high, found %v and %v", ErrConfig, s.LowFreq, s.HighFreq)
	case r.Factors != nil && len(r.Factors) != r.Dim/2:
		return fmt.Errorf("%w: rotary factors: want %d, found %d", ErrConfig, r.Dim/2, len(r.Factors))
	}
	for i, f := range r.Factors {
		if !(f > 0 && f <= 1e6) {
			return fmt.Errorf("%w: rotary factor %d: want 0 to 1e6, found %v", ErrConfig, i, f)
		}
	}
	return nil
}

// yarnMagnitude is YaRN's 0.1 m ln(factor) + 1.
func yarnMagnitude(factor, m float64) float64 {
	if factor <= 1 {
		return 1
	}
	return float64(0.1*m)*ln(factor) + 1
}

// frequencies returns freq(i) for each pair. Rounded to float32 at the points
// where the reference rounds.
func (r *RoPE) frequencies() []float32 {
	n := r.Dim / 2
	f := make([]float32, n)
	for i := range f {
		f[i] = 1 / float32(power(float64(r.Base), float64(float32(2*i)/float32(r.Dim))))
		if r.Factors != nil {
			f[i] /= r.Factors[i]
		}
	}
	s := &r.Scaling
	switch s.Kind {
	case Linear:
		for i := range f {
			f[i] /= s.Factor
		}
	case YaRN:
		low, high := r.yarnRange()
		for i := range f {
			ramp := float32(float64(float32(i)-float32(low)) / float64(float32(high-low)))
			keep := 1 - min(max(ramp, 0), 1) // 1: turns often, stays; 0: stretched
			p := float32(power(float64(r.Base), float64(float32(2*i)/float32(r.Dim))))
			stretched := 1 / float32(s.Factor*p)
			f[i] = float32(stretched*(1-keep)) + float32(f[i]*keep)
		}
	case Llama3:
		lowWave := float32(s.Original) / s.LowFreq
		highWave := float32(s.Original) / s.HighFreq
		for i := range f {
			wave := float32(2*math.Pi) / f[i]
			switch {
			case wave > lowWave:
				f[i] /= s.Factor
			case wave >= highWave && lowWave > highWave:
				smooth := (float32(s.Original)/wave - s.LowFreq) / (s.HighFreq - s.LowFreq)
				f[i] = float32((1-smooth)*(f[i]/s.Factor)) + float32(smooth*f[i])
			}
		}
	}
	return f
}

// yarnRange returns the pairs between which YaRN goes over from keeping a
// frequency to stretching it: those that turn BetaFast and BetaSlow times within
// the original context.
func (r *RoPE) yarnRange() (low, high float64) {
	s := &r.Scaling
	at := func(turns float32) float64 {
		return float64(r.Dim) * ln(float64(s.Original)/(float64(turns)*2*math.Pi)) / (2 * ln(float64(r.Base)))
	}
	low, high = at(s.BetaFast), at(s.BetaSlow)
	if s.Round {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(r.Dim-1))
	if low == high {
		high += 0.001
	}
	return low, high
}

// angles sets cos and sin (Dim/2) for position pos.
func (r *RoPE) angles(cos, sin, freq []float32, pos int) {
	m := r.Scaling.Magnitude
	if m == 0 {
		m = 1
	}
	for i, f := range freq {
		s, c := sinCos(float64(float32(float32(pos) * f)))
		cos[i], sin[i] = float32(c)*m, float32(s)*m
	}
}
