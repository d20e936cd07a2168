package jinja

import (
	"encoding/json"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

type (
	filterFunc = func(r *run, v any, a args) any
	testFunc   = func(r *run, v any, a args) bool
)

// filter applies the filter with a name, which the parser has checked.
func (r *run) filter(name string, v any, a args) any {
	r.step()
	r.enter()
	defer r.leave()
	return r.filters[name](r, v, a)
}

func indexes(n int) []int {
	l := make([]int, n)
	for i := range l {
		l[i] = i
	}
	return l
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// sort orders indexes by what key makes of them; equal ones keep their order.
func (r *run) sort(order []int, key func(int) any, reverse bool) {
	sort.SliceStable(order, func(i, j int) bool {
		if reverse {
			i, j = j, i
		}
		return r.less(key(order[i]), key(order[j]))
	})
}

// path reads an attribute given as a name, a position, or names with dots.
func (r *run) path(v, name any) any {
	if i, ok := name.(int64); ok {
		return r.item(v, i)
	}
	for _, n := range strings.Split(text(name, "attribute"), ".") {
		if i, err := strconv.ParseInt(n, 10, 64); err == nil {
			v = r.item(v, i)
		} else {
			v = r.item(v, n)
		}
	}
	return v
}

// folded is the key that texts are compared by where case does not matter.
func folded(v any, sensitive bool) any {
	if s, ok := v.(string); ok && !sensitive {
		return strings.ToLower(s)
	}
	return v
}

func (r *run) mapped(v any, a args) any {
	items := r.iterate(v)
	r.charge(16 * len(items))
	out := &List{}
	for _, x := range items {
		r.step()
		if name, ok := a.named["attribute"]; ok {
			y := r.path(x, name)
			if _, missing := y.(undefined); missing {
				y = a.arg(math.MaxInt, "default", y)
			}
			out.items = append(out.items, y)
			continue
		}
		name := text(a.arg(0, "", nil), "map")
		if _, ok := r.filters[name]; !ok {
			fail("no filter named %q", name)
		}
		out.items = append(out.items, r.filter(name, x, args{a.list[1:], a.named}))
	}
	return out
}

// selected keeps the items that a test accepts, or does not; with attr of an
// attribute of theirs.
func (r *run) selected(v any, a args, keep, ofAttr bool) any {
	list := a.list
	var name any
	if ofAttr {
		if len(list) == 0 {
			fail("selectattr without an attribute")
		}
		name, list = list[0], list[1:]
	}
	is := func(_ *run, x any, _ args) bool { return truth(x) }
	if len(list) > 0 {
		t, ok := r.tests[text(list[0], "test")]
		if !ok {
			fail("no test named %q", list[0])
		}
		is, list = t, list[1:]
	}
	out := &List{}
	for _, x := range r.iterate(v) {
		r.step()
		y := x
		if ofAttr {
			y = r.path(x, name)
		}
		if is(r, y, args{list: list}) == keep {
			r.charge(16)
			out.items = append(out.items, x)
		}
	}
	return out
}

func sorted(r *run, v any, a args) any {
	items := r.iterate(v)
	r.charge(24 * len(items))
	sensitive := truth(a.arg(1, "case_sensitive", false))
	order := indexes(len(items))
	r.sort(order, func(i int) any {
		x := items[i]
		if name := a.arg(2, "attribute", nil); name != nil {
			x = r.path(x, name)
		}
		return folded(x, sensitive)
	}, truth(a.arg(0, "reverse", false)))
	out := &List{}
	for _, i := range order {
		out.items = append(out.items, items[i])
	}
	return out
}

func extreme(r *run, v any, a args, greatest bool) any {
	var best any = undefined{"item of an empty list"}
	for i, x := range r.iterate(v) {
		if name := a.arg(1, "attribute", nil); name != nil {
			x = r.path(x, name)
		}
		if i == 0 || r.less(folded(best, false), folded(x, false)) == greatest && !r.equal(folded(best, false), folded(x, false)) {
			best = x
		}
	}
	return best
}

func length(r *run, v any, _ args) any {
	switch v := v.(type) {
	case string:
		return int64(utf8.RuneCountInString(v))
	case *List:
		return int64(len(v.items))
	case *Dict:
		return int64(len(v.keys))
	case undefined:
		return int64(0)
	}
	fail("%s has no length", kind(v))
	return nil
}

func toInt(r *run, v any, a args) any {
	switch v := v.(type) {
	case int64:
		return v
	case bool:
		return integer(v)
	case float64:
		if math.Abs(v) < 1<<62 {
			return int64(v)
		}
	case string:
		s := strings.TrimSpace(v)
		if i, err := strconv.ParseInt(s, int(integer(a.arg(1, "base", int64(10)))), 64); err == nil {
			return i
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1<<62 {
			return int64(f)
		}
	}
	return a.arg(0, "default", int64(0))
}

func toFloat(r *run, v any, a args) any {
	if f, ok := number(v); ok {
		return f
	}
	if s, ok := v.(string); ok {
		if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			return f
		}
	}
	return a.arg(0, "default", 0.0)
}

func rounded(r *run, v any, a args) any {
	f, ok := number(v)
	if !ok {
		fail("round: want a number, found %s", kind(v))
	}
	p := math.Pow(10, float64(min(max(integer(a.arg(0, "precision", int64(0))), -300), 300)))
	switch a.arg(1, "method", "common") {
	case "ceil":
		return math.Ceil(f*p) / p
	case "floor":
		return math.Floor(f*p) / p
	}
	return math.RoundToEven(f*p) / p
}

func indented(r *run, v any, a args) any {
	pad := "    "
	switch w := a.arg(0, "width", nil).(type) {
	case nil:
	case string:
		pad = w
	default:
		pad = strings.Repeat(" ", int(min(max(integer(w), 0), 1024)))
	}
	s := r.str(v)
	lines := strings.Split(s, "\n")
	r.times(len(pad)+16, int64(len(lines)))
	for i, l := range lines {
		if i == 0 && truth(a.arg(1, "first", false)) || i > 0 && (l != "" || truth(a.arg(2, "blank", false))) {
			lines[i] = pad + l
		}
	}
	r.charge(len(s))
	return strings.Join(lines, "\n")
}

func batched(r *run, v any, a args) any {
	n := integer(a.arg(0, "linecount", nil))
	if n < 1 {
		fail("batch: want 1 or more, found %d", n)
	}
	out := &List{}
	for part := range slices.Chunk(r.iterate(v), int(min(n, math.MaxInt32))) {
		r.charge(16 * (len(part) + 1))
		out.items = append(out.items, &List{items: slices.Clone(part)})
	}
	return out
}

func unique(r *run, v any, a args) any {
	out := &List{}
	var seen []any
	for _, x := range r.iterate(v) {
		k := folded(x, truth(a.arg(0, "case_sensitive", false)))
		if !r.contains(&List{items: seen}, k) {
			seen, out.items = append(seen, k), append(out.items, x)
			r.charge(32)
		}
	}
	return out
}

func groups(r *run, v any, a args) any {
	name := a.arg(0, "attribute", nil)
	items := sorted(r, v, args{named: map[string]any{"attribute": name}}).(*List).items
	out := &List{}
	for i := 0; i < len(items); {
		key := r.path(items[i], name)
		j := i
		for j < len(items) && r.equal(folded(r.path(items[j], name), false), folded(key, false)) {
			j++
		}
		r.charge(64)
		out.items = append(out.items, &List{items: []any{key, &List{items: items[i:j:j]}}, tuple: true})
		i = j
	}
	return out
}

func end(r *run, v any, last bool) any {
	items := r.iterate(v)
	if len(items) == 0 {
		return undefined{"item of an empty list"}
	}
	if last {
		return items[len(items)-1]
	}
	return items[0]
}

func texts(f func(string) string) func(*run, any, args) any {
	return func(r *run, v any, _ args) any {
		s := r.str(v)
		r.charge(2 * len(s))
		return f(s)
	}
}

func fallback(r *run, v any, a args) any {
	_, missing := v.(undefined)
	if missing || truth(a.arg(1, "boolean", false)) && !truth(v) {
		return a.arg(0, "default_value", "")
	}
	return v
}

func escape(r *run, v any, _ args) any {
	s := r.str(v)
	r.charge(5 * len(s))
	return escaper.Replace(s)
}

func fromJSON(r *run, v any, _ args) any {
	s := text(v, "from_json")
	r.charge(32 * len(s))
	if !json.Valid([]byte(s)) {
		fail("from_json: not valid JSON")
	}
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	return decode(d, 0)
}

var filters = map[string]filterFunc{
	"abs": func(r *run, v any, _ args) any {
		if f, ok := number(v); ok && f < 0 {
			return r.arithmetic("-", int64(0), v)
		}
		return v
	},
	"batch":      batched,
	"capitalize": texts(capitalized),
	"count":      length,
	"d":          fallback,
	"default":    fallback,
	"dictsort": func(r *run, v any, a args) any {
		d, ok := v.(*Dict)
		if !ok {
			fail("dictsort: want a mapping, found %s", kind(v))
		}
		by := int64(0)
		if a.arg(1, "by", "key") == "value" {
			by = 1
		}
		return sorted(r, pairs(r, d), args{named: map[string]any{"attribute": by, "case_sensitive": a.arg(0, "case_sensitive", false), "reverse": a.arg(2, "reverse", false)}})
	},
	"e":         escape,
	"escape":    escape,
	"first":     func(r *run, v any, _ args) any { return end(r, v, false) },
	"float":     toFloat,
	"from_json": fromJSON,
	"fromjson":  fromJSON,
	"groupby":   groups,
	"indent":    indented,
	"int":       toInt,
	"items": func(r *run, v any, _ args) any {
		switch v := v.(type) {
		case *Dict:
			return pairs(r, v)
		case undefined:
			return &List{}
		}
		fail("items: want a mapping, found %s", kind(v))
		return nil
	},
	"join": func(r *run, v any, a args) any {
		items := r.iterate(v)
		if name := a.arg(1, "attribute", nil); name != nil {
			items = r.mapped(v, args{named: map[string]any{"attribute": name}}).(*List).items
		}
		return joined(r, r.str(a.arg(0, "d", "")), items)
	},
	"last":   func(r *run, v any, _ args) any { return end(r, v, true) },
	"length": length,
	"list": func(r *run, v any, _ args) any {
		items := r.iterate(v)
		r.charge(16 * len(items))
		return &List{items: slices.Clone(items)}
	},
	"lower":  texts(strings.ToLower),
	"map":    func(r *run, v any, a args) any { return r.mapped(v, a) },
	"max":    func(r *run, v any, a args) any { return extreme(r, v, a, true) },
	"min":    func(r *run, v any, a args) any { return extreme(r, v, a, false) },
	"reject": func(r *run, v any, a args) any { return r.selected(v, a, false, false) },
	"select": func(r *run, v any, a args) any { return r.selected(v, a, true, false) },
	"rejectattr": func(r *run, v any, a args) any {
		return r.selected(v, a, false, true)
	},
	"replace": func(r *run, v any, a args) any { return replaced(r, r.str(v), a) },
	"reverse": func(r *run, v any, _ args) any {
		items := slices.Clone(r.iterate(v))
		r.charge(16 * len(items))
		slices.Reverse(items)
		if _, ok := v.(string); ok {
			return joined(r, "", items)
		}
		return &List{items: items}
	},
	"round": rounded,
	"safe":  func(_ *run, v any, _ args) any { return v },
	"selectattr": func(r *run, v any, a args) any {
		return r.selected(v, a, true, true)
	},
	"sort":   sorted,
	"string": func(r *run, v any, _ args) any { return r.str(v) },
	"sum": func(r *run, v any, a args) any {
		total := a.arg(1, "start", int64(0))
		for _, x := range r.iterate(v) {
			if name := a.arg(0, "attribute", nil); name != nil {
				x = r.path(x, name)
			}
			total = r.arithmetic("+", total, x)
		}
		return total
	},
	"title":  texts(titled),
	"tojson": func(r *run, v any, a args) any { return r.toJSON(v, a) },
	"trim": func(r *run, v any, a args) any {
		return strip(r.str(v), args{list: a.list, named: a.named}, true, true)
	},
	"unique":    unique,
	"upper":     texts(strings.ToUpper),
	"wordcount": func(r *run, v any, _ args) any { return int64(len(strings.Fields(r.str(v)))) },
}
