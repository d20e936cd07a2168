package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A value is nil (None), undefined, bool, int64, float64, string, *List, *Dict,
// *function or *loopState.

// undefined is a name or attribute that there is not. It prints as nothing.
type undefined struct{ what string }

// List is a list, or a tuple.
type List struct {
	items []any
	tuple bool
}

// Dict is a mapping that keeps its order.
type Dict struct {
	keys   []any // strings, integers, floats, booleans or nil
	vals   []any
	at     map[any]int
	object bool // a namespace or cycler: has attributes, is no mapping
	frozen bool // they cannot be set
	name   string
}

// function is something that can be called: a method bound to its object, a macro,
// a global function.
type function struct {
	name string
	call func(r *run, a args) any
}

// args are the arguments of a call, a filter or a test.
type args struct {
	list  []any
	named map[string]any
}

// arg returns the i-th argument, also by name, or def.
func (a args) arg(i int, name string, def any) any {
	if i < len(a.list) {
		return a.list[i]
	}
	if v, ok := a.named[name]; ok {
		return v
	}
	return def
}

// NewDict returns an empty mapping.
func NewDict() *Dict { return &Dict{at: map[any]int{}} }

// Object returns a mapping of pairs: name, value, name, value.
func Object(pairs ...any) *Dict {
	d := NewDict()
	for i := 0; i+1 < len(pairs); i += 2 {
		d.Set(pairs[i].(string), pairs[i+1])
	}
	return d
}

// Array returns a list.
func Array(items ...any) *List {
	l := &List{}
	for _, v := range items {
		l.items = append(l.items, normal(v))
	}
	return l
}

// Append adds an item.
func (l *List) Append(v any) { l.items = append(l.items, normal(v)) }

// Set sets the value of a key.
func (d *Dict) Set(key string, v any) { d.put(key, normal(v)) }

func (d *Dict) put(key, v any) {
	if i, ok := d.at[key]; ok {
		d.vals[i] = v
		return
	}
	d.at[key] = len(d.keys)
	d.keys, d.vals = append(d.keys, key), append(d.vals, v)
}

func (d *Dict) get(key any) (any, bool) {
	if i, ok := d.at[key]; ok {
		return d.vals[i], true
	}
	return nil, false
}

func (d *Dict) remove(key any) {
	i, ok := d.at[key]
	if !ok {
		return
	}
	d.keys, d.vals = append(d.keys[:i:i], d.keys[i+1:]...), append(d.vals[:i:i], d.vals[i+1:]...)
	delete(d.at, key)
	for k, j := range d.at {
		if j > i {
			d.at[k] = j - 1
		}
	}
}

// hashable returns v as a key.
func hashable(v any) any {
	switch v := v.(type) {
	case nil, bool, int64, string:
		return v
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
		return v
	}
	fail("%s cannot be a key", kind(v))
	return nil
}

// normal brings the integers of callers to one type.
func normal(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case nil, bool, int64, float64, string, undefined, *List, *Dict, *function:
		return v
	}
	fail("a value of type %T", v)
	return nil
}

// kind names a value's type as Python does.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case undefined:
		return fmt.Sprintf("undefined %q", v.what)
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case *List:
		if v.tuple {
			return "tuple"
		}
		return "list"
	case *Dict:
		if v.object {
			return v.name
		}
		return "dict"
	case *function:
		return "function " + v.name
	case *loopState:
		return "loop"
	}
	return fmt.Sprintf("%T", v)
}

func truth(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case *List:
		return len(v.items) > 0
	case *Dict:
		return v.object || len(v.keys) > 0
	}
	return true
}

// str returns a value as Python prints it.
func (r *run) str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case undefined:
		return ""
	}
	var b strings.Builder
	r.repr(&b, v)
	return b.String()
}

func (r *run) repr(b *strings.Builder, v any) {
	r.step()
	r.enter()
	defer r.leave()
	n := b.Len()
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		if v {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(formatFloat(v))
	case string:
		quote(b, v)
	case undefined:
		b.WriteString("Undefined")
	case *List:
		open, end := "[", "]"
		if v.tuple {
			open, end = "(", ")"
		}
		b.WriteString(open)
		for i, x := range v.items {
			if i > 0 {
				b.WriteString(", ")
			}
			r.repr(b, x)
		}
		if v.tuple && len(v.items) == 1 {
			b.WriteByte(',')
		}
		b.WriteString(end)
	case *Dict:
		b.WriteByte('{')
		for i, k := range v.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			r.repr(b, k)
			b.WriteString(": ")
			r.repr(b, v.vals[i])
		}
		b.WriteByte('}')
	default:
		b.WriteString("<" + kind(v) + ">")
	}
	r.charge(b.Len() - n)
}

// quote writes a string as Python's repr does.
func quote(b *strings.Builder, s string) {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	b.WriteByte(q)
	for _, c := range s {
		switch {
		case c == rune(q) || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(b, `\x%02x`, c)
		case c == utf8.RuneError || unicode.IsPrint(c):
			b.WriteRune(c)
		case c < 0x100:
			fmt.Fprintf(b, `\x%02x`, c)
		case c < 0x10000:
			fmt.Fprintf(b, `\u%04x`, c)
		default:
			fmt.Fprintf(b, `\U%08x`, c)
		}
	}
	b.WriteByte(q)
}

// formatFloat is Python's repr: the shortest digits, with an exponent below 1e-4
// and from 1e16 on.
func formatFloat(v float64) string {
	switch {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	}
	if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// equal is Python's ==.
func (r *run) equal(a, b any) bool {
	r.step()
	r.enter()
	defer r.leave()
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case undefined:
		_, ok := b.(undefined)
		return ok
	case string:
		s, ok := b.(string)
		return ok && a == s
	case *List:
		l, ok := b.(*List)
		if !ok || len(l.items) != len(a.items) || l.tuple != a.tuple {
			return false
		}
		for i := range a.items {
			if !r.equal(a.items[i], l.items[i]) {
				return false
			}
		}
		return true
	case *Dict:
		d, ok := b.(*Dict)
		if !ok || len(d.keys) != len(a.keys) {
			return false
		}
		for i, k := range a.keys {
			v, ok := d.get(k)
			if !ok || !r.equal(a.vals[i], v) {
				return false
			}
		}
		return true
	}
	return a == b
}

// number returns the value of a number or truth value.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// less is Python's <.
func (r *run) less(a, b any) bool {
	r.step()
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			return x < y
		}
	}
	x, okx := number(a)
	if y, ok := number(b); ok && okx {
		return x < y
	}
	if s, ok := a.(string); ok {
		if t, ok := b.(string); ok {
			return s < t
		}
	}
	if l, ok := a.(*List); ok {
		if m, ok := b.(*List); ok {
			r.enter()
			defer r.leave()
			for i := range min(len(l.items), len(m.items)) {
				if !r.equal(l.items[i], m.items[i]) {
					return r.less(l.items[i], m.items[i])
				}
			}
			return len(l.items) < len(m.items)
		}
	}
	fail("%s and %s have no order", kind(a), kind(b))
	return false
}

// contains is Python's x in v.
func (r *run) contains(v, x any) bool {
	switch v := v.(type) {
	case string:
		s, ok := x.(string)
		if !ok {
			fail("%s in str", kind(x))
		}
		return strings.Contains(v, s)
	case *List:
		for _, y := range v.items {
			if r.equal(x, y) {
				return true
			}
		}
		return false
	case *Dict:
		_, ok := v.get(hashable(x))
		return ok
	case undefined:
		return false
	}
	fail("%s cannot contain anything", kind(v))
	return false
}

// iterate returns the items of v.
func (r *run) iterate(v any) []any {
	switch v := v.(type) {
	case *List:
		return v.items
	case *Dict:
		if v.object {
			break
		}
		r.charge(16 * len(v.keys))
		return append([]any(nil), v.keys...)
	case string:
		r.charge(16 * len(v))
		var l []any
		for _, c := range v {
			l = append(l, string(c))
		}
		return l
	case undefined:
		return nil
	}
	fail("%s is not iterable", kind(v))
	return nil
}

// attr is v.name: a method or attribute, else an item.
func attr(v any, name string) any {
	if u, ok := v.(undefined); ok {
		fail("%q is undefined", u.what)
	}
	d, isDict := v.(*Dict)
	if isDict && d.object {
		if x, ok := d.get(name); ok {
			return x
		}
		return undefined{name}
	}
	if l, ok := v.(*loopState); ok {
		return l.attr(name)
	}
	if f, ok := method(v, name); ok {
		return f
	}
	if isDict {
		if x, ok := d.get(name); ok {
			return x
		}
	}
	return undefined{name}
}

// item is v[key]: an item, else a method or attribute.
func (r *run) item(v, key any) any {
	switch c := v.(type) {
	case undefined:
		fail("%q is undefined", c.what)
	case *List:
		if i, ok := key.(int64); ok {
			if i < 0 {
				i += int64(len(c.items))
			}
			if i < 0 || i >= int64(len(c.items)) {
				return undefined{"item of a list"}
			}
			return c.items[i]
		}
	case *Dict:
		switch key.(type) {
		case nil, bool, int64, float64, string:
			if x, ok := c.get(hashable(key)); ok {
				return x
			}
		}
	case string:
		if i, ok := key.(int64); ok {
			r.charge(4 * len(c))
			runes := []rune(c)
			if i < 0 {
				i += int64(len(runes))
			}
			if i < 0 || i >= int64(len(runes)) {
				return undefined{"character of a string"}
			}
			return string(runes[i])
		}
	}
	if name, ok := key.(string); ok {
		if l, ok := v.(*loopState); ok {
			return l.attr(name)
		}
		if f, ok := method(v, name); ok {
			return f
		}
		return undefined{name}
	}
	return undefined{"item"}
}

// slice is v[from:to:by]; nil stands for what is left out.
func (r *run) slice(v, from, to, by any) any {
	step := int64(1)
	if by != nil {
		step = integer(by)
	}
	if step == 0 {
		fail("slice step is zero")
	}
	var items []any
	var runes []rune
	n := int64(0)
	switch v := v.(type) {
	case *List:
		items, n = v.items, int64(len(v.items))
	case string:
		r.charge(8 * len(v))
		runes = []rune(v)
		n = int64(len(runes))
	case undefined:
		fail("%q is undefined", v.what)
	default:
		fail("%s cannot be sliced", kind(v))
	}
	lo, hi := int64(0), n
	if step < 0 {
		lo, hi = -1, n-1
	}
	bound := func(x any, def int64) int64 {
		if x == nil {
			return def
		}
		i := integer(x)
		if i < 0 {
			i += n
		}
		return max(lo, min(i, hi))
	}
	start, stop := bound(from, lo), bound(to, hi)
	if step < 0 {
		start, stop = bound(from, hi), bound(to, lo)
	}
	var out []any
	var text []rune
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		r.step()
		if runes != nil {
			text = append(text, runes[i])
		} else {
			out = append(out, items[i])
		}
		if step > 0 && i > n-step || step < 0 && i < -step-1 {
			break
		}
	}
	if items == nil && runes != nil || kind(v) == "str" {
		return string(text)
	}
	r.charge(16 * len(out))
	return &List{items: out, tuple: v.(*List).tuple}
}

func integer(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case bool:
		if v {
			return 1
		}
		return 0
	}
	fail("want an integer, found %s", kind(v))
	return 0
}

func text(v any, what string) string {
	s, ok := v.(string)
	if !ok {
		fail("%s: want a string, found %s", what, kind(v))
	}
	return s
}
