package moe

import (
	"reflect"

	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/tensor"
)

// scratchPerToken returns how many bytes of activations a token of a chunk takes
// on the heap and off it: the runner's buffers, counted on a small one so that a new
// buffer counts unasked, and the mixture's, which are made when it runs.
func (m *Model) scratchPerToken() (heap, off int64) {
	const n = 64
	r := newRunner(m)
	r.useArena()
	defer r.memory.Free()
	r.grow(n)
	var forms tensor.Forms
	widest := 0
	need := func(l *tensor.Linear) {
		forms.Need(l)
		widest = max(widest, l.In())
	}
	eachLinear(reflect.ValueOf(m.w).Elem(), need)
	for i := range m.w.layers {
		l := &m.w.layers[i]
		eachLinear(reflect.ValueOf(l).Elem(), need)
		for e := range l.experts {
			x := &l.experts[e]
			need(&x.Gate)
			need(&x.Up)
			need(&x.Down)
		}
	}
	acts := func(k int) int64 { return actBytes(k, forms) }
	off = r.memory.Bytes() / n
	heap = heapBytes(reflect.ValueOf(r).Elem(), acts, 0)/n - off

	c := &m.cfg
	k := c.Router.TopK
	off += int64(k) * int64(c.Dim) * 4 // outputs, kept from wave to wave
	hidden := func(rows int64, ff int) {
		off += rows * int64(ff) * 4
		heap += rows * (acts(ff) - int64(ff)*4)
	}
	hidden(int64(k), c.ExpertFF)
	if c.SharedFF > 0 {
		off += int64(c.Dim) * 4
		hidden(1, c.SharedFF)
	}
	if c.DenseFF > 0 {
		hidden(1, c.DenseFF)
	}
	// A worker's outputs of 32 rows or fewer of all pairs, its ups of the tokens of one
	// expert, at worst all of them, and what a product keeps of its columns: where they
	// are and their sums of 32 values.
	worker := int64(k+1)*32*4 + 256*4 + 32 + int64(widest)/32*4
	return heap + worker*int64(m.pool.Workers()) + int64(k)*4*4, off
}

// actBytes returns the bytes of a row of n activations in float32 and 8-bit forms.
func actBytes(n int, forms tensor.Forms) int64 {
	size := int64(4 * n)
	if forms.Q32 {
		size += int64(n + n/32*4 + n/16*2)
	}
	if forms.Q256 {
		size += int64(n + n/256*4 + n/16*2)
	}
	return size
}

// heapBytes sums up the slices that a runner's fields hold, 8-bit forms included
// whether or not they have been made.
func heapBytes(v reflect.Value, acts func(k int) int64, depth int) int64 {
	if depth > 4 {
		return 0
	}
	switch v.Kind() {
	case reflect.Slice:
		n := int64(v.Cap()) * int64(v.Type().Elem().Size())
		if v.Type().Elem().Kind() == reflect.Struct || v.Type().Elem().Kind() == reflect.Slice {
			for i := range v.Len() {
				n += heapBytes(v.Index(i), acts, depth+1)
			}
		}
		return n
	case reflect.Struct:
		var n int64
		for i := range v.NumField() {
			n += heapBytes(v.Field(i), acts, depth+1)
		}
		return n
	case reflect.Pointer:
		switch {
		case v.IsNil():
		case v.Type() == reflect.TypeFor[*tensor.Acts]():
			a := v.Elem()
			rows, k := a.FieldByName("rows").Int(), a.FieldByName("K").Int()
			return rows * acts(int(k))
		case v.Type() != reflect.TypeFor[*Model]() && v.Type().Elem().Kind() == reflect.Struct &&
			v.Type().Elem().PkgPath() == reflect.TypeFor[kernels.Acts]().PkgPath():
			return heapBytes(v.Elem(), acts, depth+1)
		}
	}
	return 0
}
