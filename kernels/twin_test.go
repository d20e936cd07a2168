package kernels

import (
	"math/rand/v2"
	"testing"

	"github.com/coterie-go/coterie/internal/testkit"
)

// A twin compares one entry of a table with its portable form: same inputs, equal
// bits. Slices come from the trial, which puts them against guard pages.
type twin struct {
	name    string
	lengths []int
	run     func(c *trial)
}

// trial is one call of a twin.
type trial struct {
	testing.TB
	*rand.Rand
	t    *table
	kind testkit.Kind // of values
	n    int          // the length to try
	off  int          // values by which slices are moved from their guard page
}

// floats returns n random values of the trial's kind.
func (c *trial) floats(n int) []float32 {
	x := guarded[float32](c, n)
	testkit.Fill(c.Rand, x, c.kind)
	return x
}

// bytes returns n random bytes.
func (c *trial) bytes(n int) []byte {
	x := guarded[byte](c, n)
	for i := range x {
		x[i] = byte(c.Uint32())
	}
	return x
}

// guarded returns a slice against a guard page: before one or behind one.
func guarded[T any](c *trial, n int) []T {
	if c.off%2 == 0 {
		return testkit.Before[T](c, n, c.off/2)
	}
	return testkit.After[T](c, n, c.off/2)
}

// same compares results: got by the table, want by the portable form.
func (c *trial) same(got, want []float32, what string) {
	c.Helper()
	testkit.SameBits(c, got, want, "%s: %s, n %d, off %d, %v values", c.t.name, what, c.n, c.off, c.kind)
}

// unchanged fails if x is not what it was.
func (c *trial) unchanged(x, was []float32) {
	c.Helper()
	c.same(x, was, "input written to")
}

// upTo returns 0..n and some more.
func upTo(n int, more ...int) []int {
	l := make([]int, n+1)
	for i := range l {
		l[i] = i
	}
	return append(l, more...)
}

// tables returns those to hold against the portable one.
func (w *twin) tables() []*table {
	if w.name == "attend" { // which depends on the maker
		return withForms()
	}
	return available()[1:]
}

// TestTwins holds every table against the portable one.
func TestTwins(t *testing.T) {
	for _, w := range twins {
		for _, tab := range w.tables() {
			t.Run(tab.name+"/"+w.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(len(w.name))))
				for _, kind := range testkit.Kinds() {
					for i, n := range w.lengths {
						// Mappings are given back after each length.
						t.Run("", func(t *testing.T) {
							w.run(&trial{t, r, tab, kind, n, i % 7})
						})
					}
				}
			})
		}
	}
}

// fuzz makes a fuzz target of a twin.
func fuzz(f *testing.F, name string) {
	for _, w := range twins {
		if w.name != name {
			continue
		}
		for kind := range testkit.Kinds() {
			f.Add(uint64(kind), uint16(w.lengths[kind%len(w.lengths)]), byte(kind))
		}
		f.Fuzz(func(t *testing.T, seed uint64, n uint16, kind byte) {
			kinds := testkit.Kinds()
			for _, tab := range w.tables() {
				r := rand.New(rand.NewPCG(seed, 0))
				c := &trial{t, r, tab, kinds[int(kind)%len(kinds)], w.lengths[int(n)%len(w.lengths)], int(seed % 7)}
				w.run(c)
			}
		})
		return
	}
	f.Fatalf("no twin called %q", name)
}
