package moe

import (
	"reflect"

	"github.com/coterie-go/coterie/expert"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/tensor"
)

// Footprint says what a model's weights cost.
type Footprint struct {
	Total    int64 // bytes of all weights
	Routed   int64 // of the routed experts among them
	PerToken int64 // bytes that one token reads: everything but the embedding, with TopK experts a layer

	// Multiply-adds of weight products for one token: in the layers, and for its
	// logits (in a prompt only the last token's).
	LayerMACs, OutputMACs int64

	CachePerToken int64 // bytes of keys and values that one token adds
	ExpertBytes   int64 // of the largest routed expert
}

// Footprint returns what the model's weights cost.
func (m *Model) Footprint() Footprint {
	var f Footprint
	seen := map[*tensor.Linear]bool{}
	add := func(l *tensor.Linear, times int64) {
		if l == nil || l.Format == nil || seen[l] {
			return
		}
		seen[l] = true
		f.Total += l.Bytes()
		f.PerToken += times * l.Bytes()
		f.LayerMACs += times * int64(l.Rows) * int64(l.K)
	}
	for i := range m.w.layers {
		l := &m.w.layers[i]
		k := int64(m.cfg.Router.TopK)
		eachLinear(reflect.ValueOf(l).Elem(), func(x *tensor.Linear) { add(x, 1) })
		var bytes, macs int64
		for e := range l.experts {
			x := &l.experts[e]
			b := x.Bytes()
			bytes += b
			f.ExpertBytes = max(f.ExpertBytes, b)
			for _, p := range []*tensor.Linear{&x.Gate, &x.Up, &x.Down} {
				macs += int64(p.Rows) * int64(p.K)
			}
		}
		f.Total += bytes
		f.Routed += bytes
		if n := int64(len(l.experts)); n > 0 {
			f.PerToken += bytes * k / n
			f.LayerMACs += macs * k / n
		}
	}
	f.OutputMACs = int64(m.w.output.Rows) * int64(m.w.output.K)
	f.PerToken += m.w.output.Bytes()
	f.Total += m.w.output.Bytes()
	if m.w.embed != m.w.output {
		f.Total += m.w.embed.Bytes()
	}
	for _, l := range m.cfg.Layers {
		if !l.Recurrent {
			f.CachePerToken += int64(m.cache.pageBytes()) / kernels.AttnBlock
		}
	}
	return f
}

// eachLinear calls f for every linear map among a struct's fields but the routed
// experts', however it is held, so that new parts of a layer are counted unasked.
func eachLinear(v reflect.Value, f func(*tensor.Linear)) {
	for i := range v.NumField() {
		field := v.Field(i)
		if !field.CanAddr() {
			continue
		}
		switch x := reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Interface().(type) {
		case **tensor.Linear:
			if *x != nil {
				f(*x)
			}
		case *[]*tensor.Linear:
			for _, l := range *x {
				f(l)
			}
		case *[]tensor.Linear:
			for j := range *x {
				f(&(*x)[j])
			}
		case *[]*expert.Expert:
			for _, e := range *x {
				f(&e.Gate)
				f(&e.Up)
				f(&e.Down)
			}
		default: // a kind of layer with parts of its own
			if t := field.Type(); t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct && t.Elem().PkgPath() == v.Type().PkgPath() && !field.IsNil() {
				eachLinear(field.Elem(), f)
			}
		}
	}
}
