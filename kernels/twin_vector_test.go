package kernels

import (
	"bytes"
	"slices"
	"testing"
)

// twins lists what [TestTwins] compares.
var twins = slices.Concat(vectorTwins, deltaTwins, floatTwins, rowTwins, attendTwins)

var vectorLengths = upTo(67, 128, 255, 1000)

var vectorTwins = []twin{
	{"dot", vectorLengths, func(c *trial) {
		a, b := c.floats(c.n), c.floats(c.n)
		c.same([]float32{c.t.dot(a, b)}, []float32{dot(a, b)}, "dot")
	}},
	{"axpy", vectorLengths, func(c *trial) {
		d, x, a := c.floats(c.n), c.floats(c.n), c.floats(1)[0]
		want, was := slices.Clone(d), slices.Clone(x)
		axpy(want, a, x)
		c.t.axpy(d, a, x)
		c.same(d, want, "axpy")
		c.unchanged(x, was)
	}},
	{"add", vectorLengths, func(c *trial) {
		d, x := c.floats(c.n), c.floats(c.n)
		want := slices.Clone(d)
		add(want, x)
		c.t.add(d, x)
		c.same(d, want, "add")
	}},
	{"join", vectorLengths, func(c *trial) {
		rows := 1 + c.IntN(4)
		d, x, f, by := c.floats(rows*c.n), c.floats(rows*c.n), c.floats(rows), c.floats(rows)
		want, was := slices.Clone(d), slices.Clone(x)
		var seen [joinQueries]int32
		for j := range rows {
			seen[j] = int32(c.IntN(2))
		}
		joinRows(want, f, by, x, &seen)
		c.t.join(d, f, by, x, &seen)
		c.same(d, want, "join")
		c.unchanged(x, was)
	}},
	{"storeF16", vectorLengths, func(c *trial) {
		d, x := c.bytes(2*c.n), c.floats(c.n)
		want, was := make([]byte, 2*c.n), slices.Clone(x)
		storeF16(want, x)
		c.t.storeF16(d, x)
		if !bytes.Equal(d, want) {
			c.Errorf("%s: storeF16 of %v is %x, want %x", c.t.name, x, d, want)
		}
		c.unchanged(x, was)
	}},
	{"div", vectorLengths, func(c *trial) {
		d, x, by := c.floats(c.n), c.floats(c.n), c.floats(1)[0]
		want := make([]float32, c.n)
		div(want, x, by)
		c.t.div(d, x, by)
		c.same(d, want, "div")
	}},
	{"rmsNorm", vectorLengths[1:], func(c *trial) {
		d, x, w := c.floats(c.n), c.floats(c.n), c.floats(c.n)
		want := make([]float32, c.n)
		rmsNorm(want, x, w, 1e-6)
		c.t.rmsNorm(d, x, w, 1e-6)
		c.same(d, want, "rmsNorm")
		rmsNorm(want, x, nil, 1e-6)
		c.t.rmsNorm(x, x, nil, 1e-6)
		c.same(x, want, "rmsNorm in place")
	}},
	{"softmax", vectorLengths[1:], func(c *trial) {
		d, x := c.floats(c.n), c.floats(c.n)
		want := make([]float32, c.n)
		softmax(want, x)
		c.t.softmax(d, x)
		c.same(d, want, "softmax")
		c.t.softmax(x, x)
		c.same(x, want, "softmax in place")
	}},
	{"swiGLU", vectorLengths, func(c *trial) {
		d, g, u := c.floats(c.n), c.floats(c.n), c.floats(c.n)
		want := make([]float32, c.n)
		swiGLU(want, g, u)
		c.t.swiGLU(d, g, u)
		c.same(d, want, "swiGLU")
		c.t.swiGLU(g, g, u)
		c.same(g, want, "swiGLU in place")
	}},
	{"swiGLUClamped", vectorLengths, func(c *trial) {
		d, g, u, p := c.floats(c.n), c.floats(c.n), c.floats(c.n), c.floats(2)
		want := make([]float32, c.n)
		swiGLUClamped(want, g, u, 1.702, 7)
		c.t.swiGLUClamped(d, g, u, 1.702, 7)
		c.same(d, want, "swiGLUClamped")
		swiGLUClamped(want, g, u, p[0], p[1])
		c.t.swiGLUClamped(u, g, u, p[0], p[1])
		c.same(u, want, "swiGLUClamped in place, other parameters")
	}},
	{"quantize", []int{0, 32, 64, 96, 256, 512, 768, 1024}, func(c *trial) {
		for _, block := range []int{32, 256} {
			if c.n%block != 0 {
				continue
			}
			x := c.floats(c.n)
			q, d, sums := guarded[int8](c, c.n), guarded[float32](c, c.n/block), guarded[int16](c, c.n/16)
			want := NewQ8(block, 1, c.n)
			quantize(want.Q, want.D, want.Sums, x, block)
			c.t.quantize(q, d, sums, x, block)
			c.same(d, want.D, "scales")
			if !slices.Equal(q, want.Q) || !slices.Equal(sums, want.Sums) {
				c.Fatalf("%s: quantize: n %d, block %d, %v values: %v %v, want %v %v", c.t.name, c.n, block, c.kind, q, sums, want.Q, want.Sums)
			}
		}
	}},
	{"rotateHalf", vectorLengths, func(c *trial) {
		x, cos, sin := c.floats(2*c.n), c.floats(c.n), c.floats(c.n)
		want := slices.Clone(x)
		rotateHalf(want, cos, sin)
		c.t.rotateHalf(x, cos, sin)
		c.same(x, want, "rotateHalf")
	}},
	{"rotatePairs", vectorLengths, func(c *trial) {
		x, cos, sin := c.floats(2*c.n), c.floats(c.n), c.floats(c.n)
		want := slices.Clone(x)
		rotatePairs(want, cos, sin)
		c.t.rotatePairs(x, cos, sin)
		c.same(x, want, "rotatePairs")
	}},
}

func FuzzDot(f *testing.F)           { fuzz(f, "dot") }
func FuzzAxpy(f *testing.F)          { fuzz(f, "axpy") }
func FuzzAdd(f *testing.F)           { fuzz(f, "add") }
func FuzzDiv(f *testing.F)           { fuzz(f, "div") }
func FuzzStoreF16(f *testing.F)      { fuzz(f, "storeF16") }
func FuzzJoin(f *testing.F)          { fuzz(f, "join") }
func FuzzRMSNorm(f *testing.F)       { fuzz(f, "rmsNorm") }
func FuzzSoftmax(f *testing.F)       { fuzz(f, "softmax") }
func FuzzSwiGLU(f *testing.F)        { fuzz(f, "swiGLU") }
func FuzzSwiGLUClamped(f *testing.F) { fuzz(f, "swiGLUClamped") }
func FuzzQuantize(f *testing.F)      { fuzz(f, "quantize") }
func FuzzRotateHalf(f *testing.F)    { fuzz(f, "rotateHalf") }
func FuzzRotatePairs(f *testing.F)   { fuzz(f, "rotatePairs") }
