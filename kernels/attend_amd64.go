//go:build !purego

package kernels

import (
	"math"
	"slices"
	"unsafe"
)

// attention holds an instruction set's assembly for attention beside its floats.
type attention struct {
	*floats
	weights func(score *float32, n int, lo, hi *int32, scale float32, m, l *float32) // scores to weights
	totals  func(M, L, m, l *float32, lo, hi *int32, n int)
	join    func(dst, x, c, b *float32, lo, hi *int32, rows, n int)
	convert int                // queries from which on values and long keys are converted once
	none    [joinQueries]int32 // zeros
}

var attentionAVX2 = attention{
	floats:  &floatsAVX2,
	weights: attendWeightsAVX2,
	totals:  attendTotalsAVX2,
	join:    attendJoinAVX2,
	convert: convertValues,
}

// attentionAVX512 differs in when it converts.
func attentionAVX512(amd bool) *attention {
	t := &attention{
		floats:  &floatsAVX512,
		weights: attendWeightsAVX512,
		totals:  attendTotalsAVX512,
		join:    attendJoinAVX512,
		convert: convertValues,
	}
	if amd {
		t.convert = math.MaxInt
	}
	return t
}

// fill puts the entries into a table.
func (t *attention) fill(tab *table) {
	tab.attend = t.attend
	tab.join = func(dst, c, b, x []float32, seen *[joinQueries]int32) {
		if n := len(c); n > 0 && len(x) > 0 {
			t.join(&dst[:len(x)][0], &x[0], &c[0], &b[:n][0], &t.none[0], &seen[:n][0], n, len(x)/n)
		}
	}
	tab.totals = func(M, L, m, l []float32, seen *[joinQueries]int32) {
		if n := len(M); n > 0 {
			t.totals(&M[0], &L[:n][0], &m[:n][0], &l[:n][0], &t.none[0], &seen[:n][0], n)
		}
	}
}

// attendQueries is how many queries pass through the steps together; their scores
// and sums stay in the second cache.
const attendQueries = 24

// convertQueries is the number of queries from which on short keys are converted
// once, convertValues that for values and long keys. An Intel core converts and
// multiplies in the same two units (Emerald Rapids: 512 queries of 128 values gain 10 %,
// 128 of latent attention's rows 18 to 25; 16 of those lose 14). Zen 5 converts beside:
// never converting values and long keys gains latent attention's 64 queries 10 %, 128
// of them and of 128 values 5 %. Zen 4, where long keys gained nothing by being converted,
// goes with it unmeasured.
const convertQueries, convertValues = 16, 64

// scoreBytes is how much of converted keys meets the queries before the next ones do.
const scoreBytes = 16 << 10

// attendScratch is a worker's room for one block of attention.
type attendScratch struct {
	keys, values []float32 // converted
	score        []float32 // (attendQueries, AttnBlock)
	acc          []float32 // (attendQueries, dv)
	m, l         [attendQueries]float32
	query        [attendQueries]int // where each query starts
	sum          [attendQueries]int // where each row of weights starts
}

// room returns n values of *buf, which grows if it has to.
func room(buf *[]float32, n int) []float32 {
	if len(*buf) < n {
		*buf = make([]float32, n)
	}
	return (*buf)[:n]
}

// floatRows are keys or values as kernels read them.
type floatRows struct {
	src    int
	data   *byte
	stride int
}

func (r *floatRows) at(i int) *byte { return (*byte)(unsafe.Add(unsafe.Pointer(r.data), i*r.stride)) }

// attend computes scores as products of the keys' rows with the queries, 16 trees
// of lanes at a time, and sums values with a lane for an output. Rows in 16 bits
// are converted in registers, again for each tile of queries, but for the short keys
// of many queries: converting these once, and letting 16 of them stay in the first
// cache while all queries pass, was measured a tenth faster with 512 queries and
// keys of 128 values, and of no use with long keys or few queries.
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
	score, acc := room(&b.score, attendQueries*AttnBlock), room(&b.acc, attendQueries*dv)
	keys, values := k.Slice(first, last), v.Slice(first, last)
	keys.check()
	values.check()
	many := n >= t.convert
	kr := t.rows(&keys, &b.keys, many || n >= convertQueries && dk <= shortRow, s)
	vr, ok := kr.part(&keys, &values)
	if !ok {
		vr = t.rows(&values, &b.values, many, s)
	}

	// While the keys' rows pass by, the values' come, and then the next keys.
	toValues, toNext := 0, 0
	if kr.stride == vr.stride {
		toValues = distance(kr.data, vr.data)
	}
	if len(a.Next) > 0 {
		toNext = distance(vr.data, &a.Next[0])
	}
	for from := 0; from < n; from += attendQueries {
		to := min(from+attendQueries, n)
		lo, hi := lo[from:to], hi[from:to]
		if f, l := seen(lo, hi); f >= l {
			continue
		}
		query := b.query[:len(lo)]
		for j := range query {
			query[j] = (from + j) * ldq
		}
		_ = q[query[len(lo)-1]:][:dk]
		step := last - first
		if kr.data != unsafe.SliceData(keys.Data) {
			step = max(4, scoreBytes/kr.stride&^3)
		}
		for i := first; i < last; i += step {
			rows := min(step, last-i)
			if from == 0 && toValues == 0 {
				tilePrefetch(vr.at(i-first), vr.stride, rows, values.rowBytes())
			}
			t.dots(&score[i], AttnBlock, kr.src, kr.at(i-first), kr.stride, rows, toValues, dk, &q[0], query)
		}
		m, l := &b.m[0], &b.l[0]
		t.weights(&score[0], len(lo), &lo[0], &hi[0], scale, m, l)
		clear(acc[:len(lo)*dv])
		t.sumValues(b, vr, first, lo, hi, dv, toNext)
		t.totals(&a.M[from], &a.L[from], m, l, &lo[0], &hi[0], len(lo))
		t.join(&a.Acc[from*dv], &acc[0], m, l, &lo[0], &hi[0], len(lo), dv)
		toValues, toNext = 0, 0 // they are here
	}
}

// distance returns b-a, in bytes.
func distance(a, b *byte) int { return int(uintptr(unsafe.Pointer(b)) - uintptr(unsafe.Pointer(a))) }

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

// part returns the rows of values as a part of keys, converted, if that is what they are:
// latent attention's.
func (r floatRows) part(keys, values *Weights) (floatRows, bool) {
	off := distance(unsafe.SliceData(keys.Data), unsafe.SliceData(values.Data))
	if r.src != srcF32 || r.data == unsafe.SliceData(keys.Data) || keys.Format != F16 || values.Format != F16 ||
		values.Stride != keys.Stride || off < 0 || off%2 > 0 || off/2+values.K > keys.K {
		return r, false
	}
	r.data = (*byte)(unsafe.Add(unsafe.Pointer(r.data), 2*off))
	return r, true
}

// rows returns w as it lies or, if no kernel reads that, converted.
func (t *attention) rows(w *Weights, converted *[]float32, anyway bool, s *Scratch) floatRows {
	if src := sourceOf(w.Format); src == srcF32 || src != srcNone && !anyway {
		return floatRows{src, &w.Data[0], w.Stride}
	}
	buf := room(converted, AttnBlock*w.K)
	for r := range w.Rows {
		t.row(buf[r*w.K:][:w.K], w, r, s)
	}
	return floatRows{srcF32, bytesOf(buf), 4 * w.K}
}

// sumValues adds to row j of b.acc the values lo[j]..hi[j]-1 times their weights,
// in ascending order. v starts with value first.
func (t *attention) sumValues(b *attendScratch, v floatRows, first int, lo, hi []int32, dv, ahead int) {
	one := func(j, from, to int) {
		if from < to {
			t.sumRow[v.src](&b.acc[j*dv], v.at(from-first), v.stride, to-from, &b.score[j*AttnBlock+from], dv)
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
		if rest := len(lo) - j; rest < tile.cols || rest == 8 && tile.cols == 6 {
			c++
			continue
		}
		from, to := int(slices.Max(lo[j:j+tile.cols])), int(slices.Min(hi[j:j+tile.cols]))
		for i := j; i < j+tile.cols; i++ { // before those that all see
			b.sum[i] = i*AttnBlock + from
			one(i, int(lo[i]), min(from, int(hi[i])))
		}
		if from < to {
			tile.f(&b.acc[j*dv], dv, v.at(from-first), v.stride, to-from, ahead, &b.score[0], &b.sum[j], dv)
		}
		for i := j; i < j+tile.cols; i++ { // and after
			one(i, max(from, to, int(lo[i])), int(hi[i]))
		}
		j += tile.cols
	}
}
