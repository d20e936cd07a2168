package main

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12 {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Rewards 1, 0, 0, 1: mean 1/2, deviation 1/2.
func TestAdvantages(t *testing.T) {
	for i, a := range advantages([]float64{1, 0, 0, 1}) {
		near(t, "advantage", a, []float64{1, -1, -1, 1}[i])
	}
	for _, a := range advantages([]float64{3, 3, 3}) {
		near(t, "equal rewards", a, 0)
	}
	// 0, 0, 3: mean 1, variance (1+1+4)/3 = 2
	for i, a := range advantages([]float64{0, 0, 3}) {
		near(t, "advantage", a, []float64{-1 / math.Sqrt2, -1 / math.Sqrt2, math.Sqrt2}[i])
	}
}

func TestClipped(t *testing.T) {
	for _, c := range []struct{ ratio, a, want float64 }{
		{1, 2, 2},       // nothing to clip
		{1.5, 2, 2.4},   // better than allowed: stops at 1.2 * 2
		{0.5, 2, 1},     // worse: not clipped, min(1, 1.6)
		{1.5, -2, -3},   // a bad token grown likelier: not clipped, min(-3, -2.4)
		{0.5, -2, -1.6}, // a bad token made rarer: stops at 0.8 * -2
	} {
		near(t, "clipped", clipped(c.ratio, c.a, 0.2), c.want)
	}
}

func TestK3(t *testing.T) {
	near(t, "equal", k3(-1, -1), 0)
	// the reference finds the token twice as likely: 2 - ln 2 - 1
	near(t, "twice", k3(math.Log(0.25), math.Log(0.5)), 1-math.Ln2)
	// half as likely: 1/2 + ln 2 - 1
	near(t, "half", k3(math.Log(0.5), math.Log(0.25)), math.Ln2-0.5)
}

// The estimate is unbiased: its mean over the policy is the divergence itself.
func TestK3Unbiased(t *testing.T) {
	p, q := []float64{0.5, 0.3, 0.2}, []float64{0.2, 0.2, 0.6}
	var mean, kl float64
	for i := range p {
		mean += p[i] * k3(math.Log(p[i]), math.Log(q[i]))
		kl += p[i] * math.Log(p[i]/q[i])
	}
	near(t, "mean of k3", mean, kl)
}

// Two completions of one and two tokens. The first: ratio 1, A 1, no divergence:
// 1. The second: ratios 2 and 1, A -1: -2 and -1, mean -3/2. Together -1/4.
func TestObjective(t *testing.T) {
	l := math.Log
	group := []completion{
		{old: []float64{l(.5)}, policy: []float64{l(.5)}, reference: []float64{l(.5)}, advantage: 1},
		{old: []float64{l(.1), l(.4)}, policy: []float64{l(.2), l(.4)}, reference: []float64{l(.2), l(.2)}, advantage: -1},
	}
	v, kl := objective(group, 0.2, 0)
	near(t, "objective", v, -0.25)
	// only the last token diverges, by 1/2 + ln 2 - 1 = ln 2 - 1/2, of three
	near(t, "divergence", kl, (math.Ln2-0.5)/3)
	// with beta 1 the second completion loses half of that, and its half counts
	v, _ = objective(group, 0.2, 1)
	near(t, "penalised", v, -0.25-(math.Ln2-0.5)/4)
}

// The whole example on the embedded model: where policy and sampler are the same,
// every ratio is exactly 1, because scoring together and sampling alone give the
// same bits.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	c := config{prompt: "Once upon a time", word: "princess", group: 4, tokens: 24, temperature: 1, seed: 7, eps: 0.2, beta: 0.04, referenceTopK: 2}
	if err := run(context.Background(), &out, c); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ratios 1.000000 to 1.000000", "objective"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\ndoes not say %q", out.String(), want)
		}
	}
}
