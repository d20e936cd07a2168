package quant

// scaleBlock is a super-block without minima on its way to q3_K, q6_K or iq4_xs:
//
//	x ~ d*scale[j]*q
type scaleBlock struct {
	q     [256]int8
	scale [16]int8 // one for each group
	d     uint16   // float16
}

// scaleShape says what the types without minima differ in.
type scaleShape struct {
	levels
	group    int   // values a scale is for
	slo, shi int32 // scales slo..shi, -slo > shi
	starts   []float32
}

// fit chooses b for 256 values, by the same turns as minBlock.fit.
func (b *scaleBlock) fit(x, w []float32, sh *scaleShape) {
	*b = scaleBlock{}
	n := 256 / sh.group
	var fits, wxq, wqq [16]float32
	for j := range n {
		g := j * sh.group
		fits[j] = sh.levels.scale(x[g:][:sh.group], w[g:][:sh.group], sh.starts)
	}
	var d float32
	b.d, d = half(extreme(fits[:]) / float32(sh.slo))
	if d == 0 {
		return
	}
	for j := range n {
		b.scale[j] = sh.limit(fits[j] / d)
	}
	cur, best := *b, float32(0)
	for range rounds {
		var gain, p, a float32
		for j := range n {
			g := j * sh.group
			s := float32(d * float32(cur.scale[j]))
			wxq[j], wqq[j] = sh.sums(x[g:][:sh.group], w[g:][:sh.group], inverse(s))
			gain += float32(s * (2*wxq[j] - float32(s*wqq[j])))
		}
		if gain > best {
			best = gain
			*b = cur
		}
		for j := range n {
			if wqq[j] > 0 && cur.scale[j] != 0 {
				cur.scale[j] = sh.limit(wxq[j] / (wqq[j] * d))
			}
			s := float32(cur.scale[j])
			p += float32(s * wxq[j])
			a += float32(s * s * wqq[j])
		}
		if a > 0 {
			cur.d, d = half(p / a)
		}
		if d == 0 {
			break
		}
	}
	d = F16ToF32(b.d)
	for j := range n {
		g := j * sh.group
		sh.quantize(b.q[g:][:sh.group], x[g:], inverse(d*float32(b.scale[j])))
	}
}

// limit rounds a scale to those there are.
func (sh *scaleShape) limit(s float32) int8 { return int8(code(s, sh.slo, sh.shi)) }
