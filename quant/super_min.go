package quant

// minBlock is a super-block with minima on its way to q2_K, q4_K or q5_K:
//
//	x ~ d*scale[j]*q - dmin*mins[j]
type minBlock struct {
	q           [256]uint8
	scale, mins [16]uint8 // one for each group
	d, dmin     uint16    // float16
}

// minShape says what the types with minima differ in.
type minShape struct {
	group  int     // values a scale is for
	top    float32 // codes 0..top
	topSM  float32 // scales and minima 0..topSM
	starts []float32
}

// rounds is how often a super-block is improved; a fourth round gains under 0.1 %.
const rounds = 3

// fit chooses b for 256 values. Groups are fitted alone and their scales and
// minima rounded to multiples of d and dmin. Then all is improved in turns: codes
// for given scales; scales and minima, among the neighbours, for given codes; d
// and dmin by least squares over the block. The best state seen wins, because
// rounding d to float16 may undo a step.
func (b *minBlock) fit(x, w []float32, sh *minShape) {
	*b = minBlock{}
	n := 256 / sh.group
	var fits [16]affine
	var groups [16]minGroup
	var maxS, maxM float32
	for j := range n {
		g := &groups[j]
		g.x, g.w = x[j*sh.group:][:sh.group], w[j*sh.group:][:sh.group]
		for i, v := range g.x {
			g.sw += g.w[i]
			g.swx += float32(g.w[i] * v)
		}
		fits[j] = fitAffine(g.x, g.w, sh.top, sh.starts, false)
		maxS, maxM = max(maxS, fits[j].s), max(maxM, -fits[j].off)
	}
	var d, dm float32
	b.d, d = half(maxS / sh.topSM)
	b.dmin, dm = half(maxM / sh.topSM)
	for j := range n {
		b.scale[j] = ratio(fits[j].s, d, sh.topSM)
		b.mins[j] = ratio(-fits[j].off, dm, sh.topSM)
	}
	cur, best := *b, float32(0)
	for round := range rounds {
		var gain float32 // sum w*x*x less the error
		var a, c, e, p, r float32
		for j := range n {
			g := &groups[j]
			s, off := float32(d*float32(cur.scale[j])), -float32(dm*float32(cur.mins[j]))
			g.affineSums = sumsAffine(g.x, g.w, inverse(s), off, sh.top)
			gain += g.gain(s, off)
		}
		if gain > best || round == 0 {
			best = gain
			*b = cur
		}
		for j := range n {
			g := &groups[j]
			cur.scale[j], cur.mins[j] = g.neighbour(cur.scale[j], cur.mins[j], d, dm, sh.topSM)
			s, m := float32(cur.scale[j]), float32(cur.mins[j])
			a += float32(s * s * g.wqq)
			c += float32(m * m * g.sw)
			e += float32(s * m * g.wq)
			p += float32(s * g.wxq)
			r += float32(m * g.swx)
		}
		// Least squares: a*d - e*dm = p, -e*d + c*dm = -r.
		if det := float32(a*c) - float32(e*e); det > 0 {
			d = (float32(c*p) - float32(e*r)) / det
			dm = (float32(e*p) - float32(a*r)) / det
		} else if a > 0 {
			d = p / a
		}
		cur.d, d = half(max(d, 0))
		cur.dmin, dm = half(max(dm, 0))
	}
	d, dm = F16ToF32(b.d), F16ToF32(b.dmin)
	for j := range n {
		s, off := float32(d*float32(b.scale[j])), -float32(dm*float32(b.mins[j]))
		inv := inverse(s)
		q := b.q[j*sh.group:][:sh.group]
		for i, v := range groups[j].x {
			q[i] = uint8(code(float32((v-off)*inv), 0, int32(sh.top)))
		}
	}
}

// minGroup is a group of values with its sums for the current codes.
type minGroup struct {
	x, w    []float32
	sw, swx float32
	affineSums
}

// gain is sum w*x*x less the error of s*q + off.
func (g *minGroup) gain(s, off float32) float32 {
	return float32(s*(2*g.wxq-float32(s*g.wqq))) + float32(off*(2*g.swx-float32(off*g.sw)-2*float32(s*g.wq)))
}

// neighbour returns the whole scale and minimum, of those near s and m, that suit
// the current codes best.
func (g *minGroup) neighbour(s, m uint8, d, dm, top float32) (uint8, uint8) {
	if g.wqq == 0 || d == 0 {
		return s, m
	}
	bs, bm, best := s, m, g.gain(float32(d*float32(s)), -float32(dm*float32(m)))
	for i := max(int(m)-1, 0); i <= min(int(m)+1, int(top)); i++ {
		off := -float32(dm * float32(i))
		k := ratio((g.wxq-float32(off*g.wq))/g.wqq, d, top)
		if gain := g.gain(float32(d*float32(k)), off); gain > best {
			bs, bm, best = k, uint8(i), gain
		}
	}
	return bs, bm
}

// ratio is x/d rounded and limited to 0..top.
func ratio(x, d, top float32) uint8 {
	if d == 0 || !(x > 0) {
		return 0
	}
	return uint8(code(x/d, 0, int32(top)))
}

func inverse(s float32) float32 {
	if s == 0 {
		return 0
	}
	return 1 / s
}
