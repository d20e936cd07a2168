package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

type (
	strMethod  func(r *run, s string, a args) any
	listMethod func(r *run, l *List, a args) any
	dictMethod func(r *run, d *Dict, a args) any
)

// method returns the method of v with a name, bound to v.
func method(v any, name string) (*function, bool) {
	switch v := v.(type) {
	case string:
		if m, ok := strMethods[name]; ok {
			return &function{name, func(r *run, a args) any {
				r.charge(len(v))
				return m(r, v, a)
			}}, true
		}
	case *List:
		if m, ok := listMethods[name]; ok {
			return &function{name, func(r *run, a args) any { return m(r, v, a) }}, true
		}
	case *Dict:
		if m, ok := dictMethods[name]; ok && !v.object {
			return &function{name, func(r *run, a args) any { return m(r, v, a) }}, true
		}
	}
	return nil, false
}

// strip trims the characters of the argument, white space by default.
func strip(s string, a args, left, right bool) any {
	in := unicode.IsSpace
	if set := a.arg(0, "chars", nil); set != nil {
		chars := text(set, "strip")
		in = func(c rune) bool { return strings.ContainsRune(chars, c) }
	}
	if left {
		s = strings.TrimLeftFunc(s, in)
	}
	if right {
		s = strings.TrimRightFunc(s, in)
	}
	return s
}

func stringsOf(list []string) *List {
	l := &List{}
	for _, s := range list {
		l.items = append(l.items, s)
	}
	return l
}

// split is Python's: by white space without a separator.
func split(r *run, s string, a args, right bool) any {
	n := integer(a.arg(1, "maxsplit", int64(-1)))
	sep := a.arg(0, "sep", nil)
	var parts []string
	if sep == nil {
		parts = strings.Fields(s)
		if n >= 0 && int64(len(parts)) > n+1 {
			parts = splitSpace(s, int(n), right)
		}
	} else {
		by := text(sep, "split")
		if by == "" {
			fail("split: empty separator")
		}
		r.charge(16 * (strings.Count(s, by) + 1))
		switch {
		case n < 0:
			parts = strings.Split(s, by)
		case !right:
			parts = strings.SplitN(s, by, int(min(n, 1<<30))+1)
		default:
			for ; n > 0; n-- {
				i := strings.LastIndex(s, by)
				if i < 0 {
					break
				}
				parts = append(parts, s[i+len(by):])
				s = s[:i]
			}
			parts = append(parts, s)
			slices.Reverse(parts)
		}
	}
	return stringsOf(parts)
}

func splitSpace(s string, n int, right bool) (parts []string) {
	trim, index := strings.TrimLeftFunc, strings.IndexFunc
	if right {
		trim, index = strings.TrimRightFunc, strings.LastIndexFunc
	}
	for s = trim(s, unicode.IsSpace); n > 0; n-- {
		i := index(s, unicode.IsSpace)
		if i < 0 {
			break
		}
		if right {
			_, w := utf8.DecodeRuneInString(s[i:])
			parts, s = append(parts, s[i+w:]), trim(s[:i], unicode.IsSpace)
		} else {
			parts, s = append(parts, s[:i]), trim(s[i:], unicode.IsSpace)
		}
	}
	if s != "" {
		parts = append(parts, s)
	}
	if right {
		slices.Reverse(parts)
	}
	return parts
}

// affix reports whether s begins or ends with the argument, or one of a tuple.
func affix(s string, a args, has func(s, x string) bool) any {
	switch v := a.arg(0, "", nil).(type) {
	case string:
		return has(s, v)
	case *List:
		for _, x := range v.items {
			if has(s, text(x, "startswith")) {
				return true
			}
		}
		return false
	default:
		fail("startswith: want a string, found %s", kind(v))
		return nil
	}
}

// find returns the position of the argument in characters, -1 if it is not there.
func find(s string, a args, index func(s, x string) int) any {
	i := index(s, text(a.arg(0, "", nil), "find"))
	if i > 0 {
		i = utf8.RuneCountInString(s[:i])
	}
	return int64(i)
}

// all reports whether s is not empty and every character is as asked.
func all(s string, is func(rune) bool) any {
	for _, c := range s {
		if !is(c) {
			return false
		}
	}
	return s != ""
}

// titled makes the first letter of each word upper case and the others lower.
func titled(s string) string {
	in := false
	return strings.Map(func(c rune) rune {
		was := in
		in = unicode.IsLetter(c)
		if in && !was {
			return unicode.ToTitle(c)
		}
		return unicode.ToLower(c)
	}, s)
}

func capitalized(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:n]) + strings.ToLower(s[n:])
}

func replaced(r *run, s string, a args) any {
	from, to := text(a.arg(0, "old", nil), "replace"), text(a.arg(1, "new", nil), "replace")
	n := integer(a.arg(2, "count", int64(-1)))
	k := strings.Count(s, from)
	if n >= 0 {
		k = int(min(int64(k), n))
	}
	r.times(len(to), int64(k))
	return strings.Replace(s, from, to, k)
}

func joined(r *run, sep string, items []any) string {
	parts := make([]string, len(items))
	for i, v := range items {
		r.step()
		parts[i] = r.str(v)
		r.charge(len(parts[i]) + len(sep))
	}
	return strings.Join(parts, sep)
}

var strMethods = map[string]strMethod{
	"strip":      func(_ *run, s string, a args) any { return strip(s, a, true, true) },
	"lstrip":     func(_ *run, s string, a args) any { return strip(s, a, true, false) },
	"rstrip":     func(_ *run, s string, a args) any { return strip(s, a, false, true) },
	"split":      func(r *run, s string, a args) any { return split(r, s, a, false) },
	"rsplit":     func(r *run, s string, a args) any { return split(r, s, a, true) },
	"startswith": func(_ *run, s string, a args) any { return affix(s, a, strings.HasPrefix) },
	"endswith":   func(_ *run, s string, a args) any { return affix(s, a, strings.HasSuffix) },
	"upper":      func(_ *run, s string, _ args) any { return strings.ToUpper(s) },
	"lower":      func(_ *run, s string, _ args) any { return strings.ToLower(s) },
	"title":      func(_ *run, s string, _ args) any { return titled(s) },
	"capitalize": func(_ *run, s string, _ args) any { return capitalized(s) },
	"replace":    replaced,
	"find":       func(_ *run, s string, a args) any { return find(s, a, strings.Index) },
	"rfind":      func(_ *run, s string, a args) any { return find(s, a, strings.LastIndex) },
	"count":      func(_ *run, s string, a args) any { return int64(strings.Count(s, text(a.arg(0, "", nil), "count"))) },
	"isdigit":    func(_ *run, s string, _ args) any { return all(s, unicode.IsDigit) },
	"isalpha":    func(_ *run, s string, _ args) any { return all(s, unicode.IsLetter) },
	"isspace":    func(_ *run, s string, _ args) any { return all(s, unicode.IsSpace) },
	"isalnum": func(_ *run, s string, _ args) any {
		return all(s, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) })
	},
	"isupper": func(_ *run, s string, _ args) any { return strings.ToUpper(s) == s && strings.ToLower(s) != s },
	"islower": func(_ *run, s string, _ args) any { return strings.ToLower(s) == s && strings.ToUpper(s) != s },
	"removeprefix": func(_ *run, s string, a args) any {
		return strings.TrimPrefix(s, text(a.arg(0, "", nil), "removeprefix"))
	},
	"removesuffix": func(_ *run, s string, a args) any {
		return strings.TrimSuffix(s, text(a.arg(0, "", nil), "removesuffix"))
	},
	"join": func(r *run, s string, a args) any { return joined(r, s, r.iterate(a.arg(0, "", nil))) },
	"splitlines": func(r *run, s string, _ args) any {
		r.charge(16 * (strings.Count(s, "\n") + 1))
		if s == "" {
			return &List{}
		}
		return stringsOf(strings.Split(strings.TrimSuffix(s, "\n"), "\n"))
	},
	"format": func(r *run, s string, a args) any { return r.format(s, a) },
}

// format is str.format for {}, {0} and {name}.
func (r *run) format(s string, a args) string {
	var b strings.Builder
	next := int64(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c == '{' || c == '}') && i+1 < len(s) && s[i+1] == c {
			b.WriteByte(c)
			i++
			continue
		}
		if c != '{' {
			b.WriteByte(c)
			continue
		}
		n := strings.IndexByte(s[i:], '}')
		if n < 0 {
			fail("format %q", s)
		}
		field := s[i+1 : i+n]
		i += n
		key := next
		if field == "" {
			next++
		} else if field[0] >= '0' && field[0] <= '9' && len(field) == 1 {
			key = int64(field[0] - '0')
		} else {
			v, ok := a.named[field]
			if !ok {
				fail("format: no argument %q", field)
			}
			v = r.str(v)
			r.put(&b, v.(string))
			continue
		}
		if key >= int64(len(a.list)) {
			fail("format %q: too few arguments", s)
		}
		r.put(&b, r.str(a.list[key]))
	}
	return b.String()
}

func (r *run) put(b *strings.Builder, s string) {
	r.charge(len(s))
	b.WriteString(s)
}

var listMethods = map[string]listMethod{
	"append": func(r *run, l *List, a args) any {
		r.charge(16)
		l.items = append(l.items, a.arg(0, "", nil))
		return nil
	},
	"extend": func(r *run, l *List, a args) any {
		more := r.iterate(a.arg(0, "", nil))
		r.charge(16 * len(more))
		l.items = append(l.items, more...)
		return nil
	},
	"insert": func(r *run, l *List, a args) any {
		i := integer(a.arg(0, "", nil))
		if i < 0 {
			i += int64(len(l.items))
		}
		r.charge(16 * (len(l.items) + 1))
		l.items = slices.Insert(slices.Clone(l.items), int(max(0, min(i, int64(len(l.items))))), a.arg(1, "", nil))
		return nil
	},
	"pop": func(r *run, l *List, a args) any {
		i := integer(a.arg(0, "", int64(-1)))
		if i < 0 {
			i += int64(len(l.items))
		}
		if i < 0 || i >= int64(len(l.items)) {
			fail("pop: no item %d of %d", i, len(l.items))
		}
		v := l.items[i]
		r.charge(16 * len(l.items))
		l.items = slices.Delete(slices.Clone(l.items), int(i), int(i)+1)
		return v
	},
	"index": func(r *run, l *List, a args) any {
		for i, v := range l.items {
			if r.equal(v, a.arg(0, "", nil)) {
				return int64(i)
			}
		}
		fail("index: not in the list")
		return nil
	},
	"count": func(r *run, l *List, a args) any {
		n := int64(0)
		for _, v := range l.items {
			if r.equal(v, a.arg(0, "", nil)) {
				n++
			}
		}
		return n
	},
}

var dictMethods = map[string]dictMethod{
	"get": func(_ *run, d *Dict, a args) any {
		if v, ok := d.get(hashable(a.arg(0, "", nil))); ok {
			return v
		}
		return a.arg(1, "default", nil)
	},
	"items": func(r *run, d *Dict, _ args) any { return pairs(r, d) },
	"keys": func(r *run, d *Dict, _ args) any {
		r.charge(16 * len(d.keys))
		return &List{items: slices.Clone(d.keys)}
	},
	"values": func(r *run, d *Dict, _ args) any {
		r.charge(16 * len(d.vals))
		return &List{items: slices.Clone(d.vals)}
	},
	"copy": func(r *run, d *Dict, _ args) any { return dictOf(r, args{list: []any{d}}) },
	"update": func(r *run, d *Dict, a args) any {
		other := dictOf(r, a)
		for i, k := range other.keys {
			d.put(k, other.vals[i])
		}
		return nil
	},
	"setdefault": func(r *run, d *Dict, a args) any {
		k := hashable(a.arg(0, "", nil))
		if v, ok := d.get(k); ok {
			return v
		}
		r.charge(48)
		d.put(k, a.arg(1, "", nil))
		return a.arg(1, "", nil)
	},
	"pop": func(r *run, d *Dict, a args) any {
		k := hashable(a.arg(0, "", nil))
		v, ok := d.get(k)
		if !ok {
			if len(a.list) > 1 {
				return a.list[1]
			}
			fail("pop: no key %v", k)
		}
		r.steps -= len(d.keys)
		d.remove(k)
		return v
	},
}

func pairs(r *run, d *Dict) *List {
	r.charge(64 * len(d.keys))
	l := &List{}
	for i, k := range d.keys {
		l.items = append(l.items, &List{items: []any{k, d.vals[i]}, tuple: true})
	}
	return l
}
