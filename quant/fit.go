package quant

import "math"

// Fitting a block means choosing a scale (and an offset) and whole codes so that
// sum w*(x - value)^2 is least, w >= 0. For given codes the best scale is a
// least-squares solution; for a given scale the best codes are the nearest. The
// searches below start from several scales and alternate between the two. The
// starts of each type were chosen greedily from a fine grid, for the least error
// on normal values with and without importance; the whole grid would gain about
// another percent.
//
// Every product is rounded before it is added (the conversions keep compilers
// from fusing), so the same values give the same blocks on every machine.

// Codes are rounded and limited in the bits of shift + x: for whole numbers around 0
// these are zero + x, the sum having no room for a fraction, and they stay in
// order for all x, so that what is out of range is limited to the right end.
const (
	shift = 3 << 22 // 1.5 * 2^23
	zero  = 0x4b400000
)

// nearest returns the whole number nearest to x, ties to even, limited to lo..hi;
// lo and hi are given plus zero.
func nearest(x float32, lo, hi int32) float32 {
	return math.Float32frombits(uint32(min(max(int32(math.Float32bits(x+shift)), lo), hi))) - shift
}

// code is nearest as an integer, with plain limits.
func code(x float32, lo, hi int32) int32 {
	return min(max(int32(math.Float32bits(x+shift)), zero+lo), zero+hi) - zero
}

// levels are the values that codes stand for before scaling.
type levels struct {
	lo, hi int32      // whole numbers lo..hi, or
	near   *[512]int8 // the level nearest to (i-256)/2 + 1/4, for levels of unequal distance
}

// newLevels tabulates levels that are not equidistant. Midpoints of whole levels
// are multiples of 1/2, so that all of an interval (k/2, k/2+1/2) has one nearest.
func newLevels(level []int8) levels {
	near := new([512]int8)
	for i := range near {
		at := float64(i-256)/2 + 0.25
		best := level[0]
		for _, l := range level {
			if math.Abs(float64(l)-at) < math.Abs(float64(best)-at) {
				best = l
			}
		}
		near[i] = best
	}
	lo, hi := level[0], level[0]
	for _, l := range level {
		lo, hi = min(lo, l), max(hi, l)
	}
	return levels{int32(lo), int32(hi), near}
}

// at returns the level nearest to x/2, for levels that are not equidistant.
func (g *levels) at(x float32) int8 { return g.near[(code(x-0.5, -256, 255)+256)&511] }

// sums returns sum w*x*q and sum w*q*q for the codes q nearest to x*inv.
func (g *levels) sums(x, w []float32, inv float32) (wxq, wqq float32) {
	w = w[:len(x)]
	if g.near != nil {
		inv *= 2
		for i, v := range x {
			q := float32(g.at(float32(v * inv)))
			wq := float32(w[i] * q)
			wxq += float32(wq * v)
			wqq += float32(wq * q)
		}
		return
	}
	lo, hi := zero+g.lo, zero+g.hi
	for i, v := range x {
		q := nearest(float32(v*inv), lo, hi)
		wq := float32(w[i] * q)
		wxq += float32(wq * v)
		wqq += float32(wq * q)
	}
	return
}

// quantize sets q to the codes nearest to x*inv.
func (g *levels) quantize(q []int8, x []float32, inv float32) {
	for i := range q {
		if g.near != nil {
			q[i] = g.at(float32(2 * inv * x[i]))
		} else {
			q[i] = int8(code(float32(inv*x[i]), g.lo, g.hi))
		}
	}
}

// scale returns the scale s for which x ~ s*q fits best, of the starts in which
// the value farthest from 0 lands on a level at or near either end.
func (g *levels) scale(x, w []float32, starts []float32) float32 {
	ext := extreme(x)
	if abs(ext) < tiny {
		return 0
	}
	var best, gain float32
	// With least squares the error is sum w*x*x - wxq*wxq/wqq.
	try := func(inv float32) bool {
		wxq, wqq := g.sums(x, w, inv)
		if wqq > 0 && float32(wxq*wxq) > float32(gain*wqq) {
			best, gain = wxq/wqq, float32(wxq*wxq)/wqq
			return true
		}
		return false
	}
	for _, s := range starts {
		try(float32(g.lo) * s / ext)
	}
	for range 3 {
		if best == 0 || !try(1/best) {
			break
		}
	}
	return best
}

// tiny is below what any scale of a block can express (float16 ends at 6e-8).
const tiny = 1e-12

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// extreme returns the value farthest from 0.
func extreme(x []float32) float32 {
	var ext float32
	for _, v := range x {
		if abs(v) > abs(ext) {
			ext = v
		}
	}
	return ext
}

// affine is a fit x ~ s*q + off with codes 0..top.
type affine struct{ s, off float32 }

// affineSums are the weighted sums over a group of values and their codes.
type affineSums struct{ wq, wqq, wxq float32 }

func sumsAffine(x, w []float32, inv, off, top float32) (a affineSums) {
	w = w[:len(x)]
	hi := zero + int32(top)
	for i, v := range x {
		q := nearest(float32((v-off)*inv), zero, hi)
		wq := float32(w[i] * q)
		a.wq += wq
		a.wqq += float32(wq * q)
		a.wxq += float32(wq * v)
	}
	return a
}

// fitAffine returns the best s and off of codes 0..top, off limited to at most 0
// unless anyOffset; starts are lengths of the range of codes in units of top.
func fitAffine(x, w []float32, top float32, starts []float32, anyOffset bool) affine {
	lo, hi := x[0], x[0]
	var sw, swx float32
	for i, v := range x {
		lo, hi = min(lo, v), max(hi, v)
		sw += w[i]
		swx += float32(w[i] * v)
	}
	if !anyOffset {
		lo = min(lo, 0)
	}
	if hi-lo < tiny {
		return affine{0, lo}
	}
	var best affine
	var gain float32
	try := func(inv, off float32) bool {
		a := sumsAffine(x, w, inv, off, top)
		det := float32(sw*a.wqq) - float32(a.wq*a.wq)
		if !(det > 0) {
			return false
		}
		f := affine{
			s:   (float32(sw*a.wxq) - float32(swx*a.wq)) / det,
			off: (float32(a.wqq*swx) - float32(a.wq*a.wxq)) / det,
		}
		if f.off > 0 && !anyOffset {
			f = affine{s: a.wxq / a.wqq}
		}
		// The error is sum w*x*x - this.
		if g := float32(f.s*a.wxq) + float32(f.off*swx); g > gain && f.s > 0 {
			best, gain = f, g
			return true
		}
		return false
	}
	for _, s := range starts {
		try(top*s/(hi-lo), lo)
	}
	if best.s == 0 {
		return affine{(hi - lo) / top, lo}
	}
	for range 3 {
		if !try(1/best.s, best.off) {
			break
		}
	}
	return best
}
