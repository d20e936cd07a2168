package router

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestPlanByHand(t *testing.T) {
	var p Plan
	ids := []int32{
		2, 0, // token 0
		3, -1, // token 1: its second choice was dropped
		0, 2, // token 2
	}
	if err := p.Build(ids, 3, 2, 5); err != nil {
		t.Fatal(err)
	}
	if p.Pairs() != 5 || !slices.Equal(p.Active(), []int32{0, 2, 3}) {
		t.Errorf("%d pairs, active %v", p.Pairs(), p.Active())
	}
	for e, want := range [][2][]int32{{{0, 2}, {1, 0}}, {}, {{0, 2}, {0, 1}}, {{1}, {0}}, {}} {
		if !slices.Equal(p.Tokens(e), want[0]) || !slices.Equal(p.Slots(e), want[1]) {
			t.Errorf("expert %d: tokens %v, slots %v, want %v", e, p.Tokens(e), p.Slots(e), want)
		}
	}
	for _, e := range []int{-1, 5, math.MaxInt} {
		if p.Tokens(e) != nil && len(p.Tokens(e)) != 0 {
			t.Errorf("expert %d has tokens", e)
		}
	}
}

func TestPlanErrors(t *testing.T) {
	for _, c := range []struct {
		name          string
		ids           []int32
		n, k, experts int
		want          error
	}{
		{"too few ids", make([]int32, 5), 3, 2, 4, ErrShape},
		{"product that wraps", make([]int32, 5), math.MaxInt, 2, 4, ErrShape},
		{"negative", nil, -1, 2, 4, ErrShape},
		{"too many experts", nil, 0, 2, math.MaxInt, ErrShape},
		{"id too great", []int32{0, 4}, 1, 2, 4, ErrID},
		{"id too small", []int32{0, -2}, 1, 2, 4, ErrID},
		{"no experts", []int32{0, 0}, 1, 2, 0, ErrID},
	} {
		var p Plan
		if err := p.Build([]int32{1, 1}, 2, 1, 2); err != nil {
			t.Fatal(err)
		}
		if err := p.Build(c.ids, c.n, c.k, c.experts); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if p.Pairs() != 0 || len(p.Active()) != 0 || len(p.Tokens(1)) != 0 {
			t.Errorf("%s: the plan before is still there", c.name)
		}
	}
	var p Plan
	if err := p.Build(nil, 0, 0, 0); err != nil || p.Pairs() != 0 || len(p.Tokens(0)) != 0 {
		t.Errorf("nothing to plan: %v", err)
	}
}

// FuzzPlan checks that a plan holds every choice once, under its expert, in order, whatever was planned before.
func FuzzPlan(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 1, 1}, uint8(2), uint8(4))
	f.Add([]byte{255, 0, 0, 255}, uint8(1), uint8(1))
	f.Add([]byte{}, uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, raw []byte, k, experts uint8) {
		ids, valid := make([]int32, len(raw)), true
		n := len(raw)
		if k > 0 {
			n /= int(k)
		}
		pairs := 0
		for i, b := range raw {
			ids[i] = int32(int8(b))
			if i < n*int(k) {
				valid = valid && ids[i] >= -1 && int(ids[i]) < int(experts)
				if ids[i] >= 0 {
					pairs++
				}
			}
		}
		var p Plan
		if err := p.Build([]int32{2, 1, 2}, 3, 1, 3); err != nil {
			t.Fatal(err)
		}
		err := p.Build(ids, n, int(k), int(experts))
		if (err == nil) != valid {
			t.Fatalf("valid %v, error %v", valid, err)
		}
		if err != nil {
			return
		}
		seen := 0
		var active []int32
		for e := range int(experts) {
			tokens, slots, last := p.Tokens(e), p.Slots(e), -1
			if len(tokens) != len(slots) {
				t.Fatalf("expert %d: %d tokens, %d slots", e, len(tokens), len(slots))
			}
			for i := range tokens {
				at := int(tokens[i])*int(k) + int(slots[i])
				if at <= last || ids[at] != int32(e) {
					t.Fatalf("expert %d: pair %d is choice %d of expert %d, after %d", e, i, at, ids[at], last)
				}
				last = at
			}
			if seen += len(tokens); len(tokens) > 0 {
				active = append(active, int32(e))
			}
		}
		if seen != pairs || p.Pairs() != pairs || !slices.Equal(active, p.Active()) {
			t.Fatalf("%d pairs of %d, active %v, want %v", seen, pairs, p.Active(), active)
		}
	})
}
