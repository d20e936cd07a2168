package kernels

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/coterie-go/coterie/internal/testkit"
)

// TestJoinAll: it is Join for one query after another, also for more than it takes at a
// time, and leaves those alone whose run had no keys.
func TestJoinAll(t *testing.T) {
	const n, dv = 2*joinQueries + 5, 24
	r := rand.New(rand.NewPCG(3, 4))
	fill := func(a *Attn) {
		a.Reset(n, dv, nil)
		for _, x := range [][]float32{a.M, a.L, a.Acc} {
			testkit.Fill(r, x, testkit.Normal)
		}
		for j := range a.L {
			a.L[j] = 1 + a.L[j]*a.L[j]
		}
	}
	was := active
	defer func() { active = was }()
	for _, active = range available() {
		var all, one, run Attn
		fill(&all)
		fill(&run)
		one.Reset(n, dv, nil)
		copy(one.M, all.M)
		copy(one.L, all.L)
		copy(one.Acc, all.Acc)
		for j := 0; j < n; j += 3 {
			run.L[j] = 0
		}
		alone := slices.Clone(all.Acc[:dv])
		for j := range n {
			one.Join(j, run.M[j], run.L[j], run.Acc[j*dv:][:dv])
		}
		all.JoinAll(&run)
		testkit.SameBits(t, all.M, one.M, "%s: maxima", active.name)
		testkit.SameBits(t, all.L, one.L, "%s: sums", active.name)
		testkit.SameBits(t, all.Acc, one.Acc, "%s: values", active.name)
		testkit.SameBits(t, all.Acc[:dv], alone, "%s: a run without keys", active.name)
	}
}
