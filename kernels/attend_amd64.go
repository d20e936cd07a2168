//go:build !purego

package kernels

import (
	"slices"
	"unsafe"
)

// attention holds an instruction set's assembly for attention beside its floats.
type attention struct {
	*floats
	width     int                                                                      // keys that one transposition takes
	transpose [3]func(dst *float32, w *byte, off *int, k int)                          // by source
	scores    []scoresTile                                                             // the most queries first
	weights   func(score *float32, n int, lo, hi *int32, scale float32, m, l *float32) // scores to weights
	totals    func(M, L, m, l *float32, lo, hi *int32, n int)
	join      func(dst, x *float32, c, b float32, n int)
}

// scoresTile is a register tile of queries against a transposed block of keys.
type scoresTile struct {
	queries int
	f       func(dst *float32, kt, q *float32, off *int, k int, wait *float32)
}

var attentionAVX2 = attention{
	floats:    &floatsAVX2,
	width:     8,
	transpose: [3]func(*float32, *byte, *int, int){transposeF32AVX2, transposeF16AVX2, transposeBF16AVX2},
	scores:    []scoresTile{{3, scoresTile3AVX2}},
	weights:   attendWeightsAVX2,
	totals:    attendTotalsAVX2,
	join:      attendJoinAVX2,
}

var attentionAVX512 = attention{
	floats:    &floatsAVX512,
	width:     16,
	transpose: [3]func(*float32, *byte, *int, int){transposeF32AVX512, transposeF16AVX512, transposeBF16AVX512},
	scores:    []scoresTile{{6, scoresTile6AVX512}, {4, scoresTile4AVX512}},
	weights:   attendWeightsAVX512,
	totals:    attendTotalsAVX512,
	join:      attendJoinAVX512,
}

const (
	// attendQueries is how many queries pass through the three steps together;
	// their scores and sums stay in the second cache.
	attendQueries = 24
	// transposeQueries is the number of queries from which transposing the keys
	// pays.
	transposeQueries = 12
	// convertQueries is the number from which converting the values once pays.
	convertQueries = 24
	// waitFloats is the room scores tiles need: four times 24 vectors of 16.
	waitFloats = 4 * 24 * 16
)

// attendScratch is a worker's room for one block of attention.
type attendScratch struct {
	keys, values []float32 // transposed or converted
	score        []float32 // (attendQueries + 5, AttnBlock)
	acc          []float32 // (attendQueries, dv)
	m, l         [attendQueries]float32
	wait         [waitFloats]float32
	key          [AttnBlock]int         // where each key lies
	query        [attendQueries + 5]int // where each query lies, the last one repeated
	sum          [attendQueries]int     // where each row of weights starts
}

func (b *attendScratch) fit(dk, dv int) {
	if len(b.keys) < AttnBlock*dk || len(b.values) < AttnBlock*dv {
		b.keys, b.values = make([]float32, AttnBlock*dk), make([]float32, AttnBlock*dv)
		b.acc = make([]float32, attendQueries*dv)
		b.score = make([]float32, len(b.query)*AttnBlock)
	}
}

// floatRows are keys or values as kernels read them.
type floatRows struct {
	src    int
	data   *byte
	stride int
}

func (r *floatRows) at(i int) *byte { return (*byte)(unsafe.Add(unsafe.Pointer(r.data), i*r.stride)) }

// attend computes the scores of few queries as products with the keys' rows, of
// many with the transposed keys; the values are summed with a lane for an output.
func (t *attention) attend(a *Attn, q []float32, ldq int, k, v *Weights, lo, hi []int32, scale float32, s *Scratch) {
	n, dk, dv := len(a.M), k.K, v.K
	first, last := seen(lo, hi)
	if first >= last {
		return
	}
	if dk%16 != 0 || dv%16 != 0 || dk == 0 || dv == 0 || first < 0 || last > AttnBlock {
		attend(a, q, ldq, k, v, lo, hi, scale, s)
		return
	}
	b := &s.attend
	b.fit(dk, dv)
	keys, values := k.Slice(first, last), v.Slice(first, last)
	keys.check()
	values.check()
	transposed := n >= transposeQueries
	var kr floatRows
	if transposed {
		t.transposeKeys(&keys, first, s)
	} else {
		kr = t.rows(&keys, b.keys, false)
	}
	vr := t.rows(&values, b.values, n >= convertQueries)

	for from := 0; from < n; from += attendQueries {
		to := min(from+attendQueries, n)
		lo, hi := lo[from:to], hi[from:to]
		if f, l := seen(lo, hi); f >= l {
			continue
		}
		for j := range b.query {
			b.query[j] = (from + min(j, len(lo)-1)) * ldq
		}
		_ = q[b.query[len(lo)-1]:][:dk]
		if transposed {
			t.scoresOf(b, q, len(lo), dk)
		} else {
			t.dots(&b.score[first], AttnBlock, kr.src, kr.data, kr.stride, last-first, dk, &q[0], b.query[:len(lo)])
		}
		m, l := &b.m[0], &b.l[0]
		t.weights(&b.score[0], len(lo), &lo[0], &hi[0], scale, m, l)
		clear(b.acc[:len(lo)*dv])
		t.sumValues(b, vr, first, lo, hi, dv)
		t.totals(&a.M[from], &a.L[from], m, l, &lo[0], &hi[0], len(lo))
		for j := range lo {
			if lo[j] < hi[j] {
				t.join(&a.Acc[(from+j)*dv], &b.acc[j*dv], b.m[j], b.l[j], dv)
			}
		}
	}
}

// seen returns the range of keys that some query sees.
func seen(lo, hi []int32) (first, last int) {
	first = AttnBlock
	for j := range lo {
		if lo[j] < hi[j] {
			first, last = min(first, int(lo[j])), max(last, int(hi[j]))
		}
	}
	return
}

// rows returns w as it lies or, if no kernel reads that or convert asks for it,
// converted to buf.
func (t *attention) rows(w *Weights, buf []float32, convert bool) floatRows {
	src := sourceOf(w.Format)
	if src == srcF32 || src != srcNone && !convert {
		return floatRows{src, &w.Data[0], w.Stride}
	}
	for r := range w.Rows {
		t.row(buf[r*w.K:][:w.K], w, r)
	}
	return floatRows{srcF32, bytesOf(buf), 4 * w.K}
}

// transposeKeys writes the keys, of which the first is number first of the block,
// to s.attend.keys. Places of keys that nobody sees get copies of others.
func (t *attention) transposeKeys(w *Weights, first int, s *Scratch) {
	b := &s.attend
	r := floatRows{}
	if sourceOf(w.Format) == srcNone {
		r = t.rows(w, s.floats(w.Rows*w.K), true)
	} else {
		r = t.rows(w, nil, false)
	}
	for i := range b.key {
		b.key[i] = min(max(i-first, 0), w.Rows-1) * r.stride
	}
	for i := 0; i < AttnBlock; i += t.width {
		t.transpose[r.src](&b.keys[i], r.data, &b.key[i], w.K)
	}
}

// scoresOf sets rows of b.score to the products of n queries with all keys.
func (t *attention) scoresOf(b *attendScratch, q []float32, n, dk int) {
	for j, c := 0, 0; j < n; {
		tile := t.scores[c]
		// A tile that is not full computes the last query again.
		if c+1 < len(t.scores) && n-j <= t.scores[c+1].queries {
			c++
			continue
		}
		tile.f(&b.score[j*AttnBlock], &b.keys[0], &q[0], &b.query[j], dk, &b.wait[0])
		j += tile.queries
	}
}

// sumValues adds to row j of b.acc the values lo[j]..hi[j]-1 times their weights,
// in ascending order. v starts with value first.
func (t *attention) sumValues(b *attendScratch, v floatRows, first int, lo, hi []int32, dv int) {
	one := func(j, from, to int) {
		if from < to {
			t.sumOne(&b.acc[j*dv], v.src, v.at(from-first), v.stride, to-from, dv, &b.score[j*AttnBlock+from])
		}
	}
	tiles := t.sum[v.src]
	for j, c := 0, 0; j < len(lo); {
		if c == len(tiles) {
			one(j, int(lo[j]), int(hi[j]))
			j++
			continue
		}
		tile := tiles[c]
		if len(lo)-j < tile.cols {
			c++
			continue
		}
		from, to := int(slices.Max(lo[j:j+tile.cols])), int(slices.Min(hi[j:j+tile.cols]))
		for i := j; i < j+tile.cols; i++ { // before those that all see
			b.sum[i] = i*AttnBlock + from
			one(i, int(lo[i]), min(from, int(hi[i])))
		}
		if from < to {
			tile.f(&b.acc[j*dv], dv, v.at(from-first), v.stride, to-from, &b.score[0], &b.sum[j], dv)
		}
		for i := j; i < j+tile.cols; i++ { // and after
			one(i, max(from, to, int(lo[i])), int(hi[i]))
		}
		j += tile.cols
	}
}
