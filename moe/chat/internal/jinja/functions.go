package jinja

import (
	"fmt"
	"strings"
)

// functions are the global ones.
var functions = map[string]func(r *run, a args) any{
	"range": func(r *run, a args) any {
		from, to, by := int64(0), integer(a.arg(0, "", nil)), int64(1)
		if len(a.list) > 1 {
			from, to = to, integer(a.list[1])
		}
		if len(a.list) > 2 {
			by = integer(a.list[2])
		}
		if by == 0 {
			fail("range: step is zero")
		}
		l := &List{}
		for i := from; by > 0 && i < to || by < 0 && i > to; i += by {
			r.step()
			r.charge(16)
			l.items = append(l.items, i)
			if by > 0 && i > to-by || by < 0 && i < to-by {
				break // before i overflows
			}
		}
		return l
	},
	"namespace": func(r *run, a args) any {
		d := dictOf(r, a)
		d.object, d.name = true, "namespace"
		return d
	},
	"dict": func(r *run, a args) any { return dictOf(r, a) },
	"raise_exception": func(r *run, a args) any {
		panic(&failure{fmt.Errorf("%w: %s", ErrRaised, r.str(a.arg(0, "message", "")))})
	},
	"strftime_now": func(r *run, a args) any { return strftime(r.now, text(a.arg(0, "format", nil), "strftime_now")) },
	"joiner": func(r *run, a args) any {
		sep, used := a.arg(0, "sep", ", "), false
		return &function{"joiner", func(*run, args) any {
			if !used {
				used = true
				return ""
			}
			return sep
		}}
	},
	"cycler": func(r *run, a args) any {
		if len(a.list) == 0 {
			fail("cycler: nothing to cycle through")
		}
		i := 0
		d := NewDict()
		d.object, d.frozen, d.name = true, true, "cycler"
		d.put("current", a.list[0])
		d.put("next", &function{"next", func(*run, args) any {
			v := a.list[i%len(a.list)]
			i++
			d.put("current", a.list[i%len(a.list)])
			return v
		}})
		d.put("reset", &function{"reset", func(*run, args) any {
			i = 0
			d.put("current", a.list[0])
			return nil
		}})
		return d
	},
}

// dictOf makes a mapping of another one, or pairs, and named arguments. These
// have no order of their own here and are sorted.
func dictOf(r *run, a args) *Dict {
	d := NewDict()
	switch v := a.arg(0, "", nil).(type) {
	case nil:
	case *Dict:
		r.charge(48 * len(v.keys))
		for i, k := range v.keys {
			d.put(k, v.vals[i])
		}
	case *List:
		r.charge(48 * len(v.items))
		for _, p := range v.items {
			pair, ok := p.(*List)
			if !ok || len(pair.items) != 2 {
				fail("dict: want pairs, found %s", kind(p))
			}
			d.put(hashable(pair.items[0]), pair.items[1])
		}
	default:
		fail("dict of %s", kind(v))
	}
	for _, k := range sortedKeys(a.named) {
		d.put(k, a.named[k])
	}
	return d
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")
