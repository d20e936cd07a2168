package router

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// FuzzRoute checks that any spec that New accepts chooses k distinct valid experts from any logits whatever, NaN and
// infinities among them, in descending order of choice score, with nothing else touched, and that Weigh agrees.
func FuzzRoute(f *testing.F) {
	bits := func(x ...float32) (b []byte) {
		for _, v := range x {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		return b
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for score := range scores {
		f.Add(bits(1, 2, 3, 4, 5, 6, 7, 8), uint8(score), uint8(2), uint8(4), uint8(2), uint8(3), float32(0.5), float32(0))
		f.Add(bits(nan, inf, -inf, 0, nan, float32(math.Copysign(0, -1)), 1, 1e38), uint8(score), uint8(4), uint8(2), uint8(1), uint8(0), float32(-1), float32(1))
		f.Add(bits(nan, nan, nan), uint8(score), uint8(3), uint8(0), uint8(0), uint8(7), nan, float32(0.1))
		f.Add(bits(-3e38, 3e38, 1e-45), uint8(score), uint8(1), uint8(3), uint8(1), uint8(6), inf, float32(0))
	}
	f.Fuzz(func(t *testing.T, raw []byte, score, k, groups, top, flags uint8, bias, gate float32) {
		if len(raw) > 4096 {
			return
		}
		logits := make([]float32, len(raw)/4)
		for i := range logits {
			logits[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		spec := Spec{
			Experts: len(logits), TopK: int(k), Score: Score(score), Groups: int(groups), TopGroups: int(top),
			GroupScore: GroupScore(flags & 1), MaskToZero: flags&2 != 0, Normalize: flags&4 != 0,
			NormEps: 1e-20, Scale: 2.5, SparseEps: 0.01, MinGate: gate,
		}
		var biases []float32
		if flags&8 != 0 {
			biases = make([]float32, len(logits))
			for i := range biases {
				biases[i] = bias * float32(1-i%3)
			}
		}
		r, err := New(spec, biases)
		if err != nil {
			if r != nil {
				t.Fatal("a router and an error")
			}
			return
		}

		before := slices.Clone(logits)
		ids, weights := make([]int32, spec.TopK+1), make([]float32, spec.TopK+1)
		ids[spec.TopK], weights[spec.TopK] = 77, 77
		n := r.Route(ids, weights, logits, nil)
		if n < 1 || n > spec.TopK || gate == 0 && n != spec.TopK {
			t.Fatalf("%d kept of %d", n, spec.TopK)
		}
		if ids[spec.TopK] != 77 || weights[spec.TopK] != 77 {
			t.Fatal("wrote past k")
		}
		seen := make([]bool, len(logits))
		for i, id := range ids[:spec.TopK] {
			if i >= n {
				if id != -1 || weights[i] != 0 {
					t.Fatalf("dropped choice %d is %d, %v", i, id, weights[i])
				}
				continue
			}
			if id < 0 || int(id) >= len(logits) || seen[id] {
				t.Fatalf("ids %v of %d experts", ids, len(logits))
			}
			seen[id] = true
		}
		for i := range logits {
			if math.Float32bits(logits[i]) != math.Float32bits(before[i]) {
				t.Fatalf("logit %d changed", i)
			}
		}

		// Without MinGate all k are seen, so that order and weights can be checked.
		spec.MinGate = 0
		if r, err = New(spec, biases); err != nil {
			t.Fatal(err)
		}
		ids, weights = ids[:spec.TopK], weights[:spec.TopK]
		again := make([]float32, spec.TopK)
		r.Route(ids, weights, logits, nil)
		if err := r.Weigh(again, ids, logits, nil); err != nil {
			t.Fatal(err)
		}
		choice := spec.Score.score(make([]float32, len(logits)), logits)
		for i := range ids {
			if math.Float32bits(weights[i]) != math.Float32bits(again[i]) && (weights[i] == weights[i] || again[i] == again[i]) {
				t.Fatalf("Weigh gives %v, Route %v", again, weights)
			}
			if i > 0 && spec.Groups <= 1 && biases == nil && key(choice[ids[i-1]], int(ids[i-1])) < key(choice[ids[i]], int(ids[i])) {
				t.Fatalf("ids %v are out of order", ids)
			}
		}
	})
}
