package grammar

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The rules of JSON. White space is a space or a new line with its indentation,
// since a model at a loss would otherwise go on with it for ever; numbers keep to
// what a float64 can hold; escapes spell whole characters.
var (
	digit  = class{{'0', '9'}}
	space  = optional(alt{literal(" "), seq{literal("\n"), repeat{class{{' ', ' '}, {'\t', '\t'}}, 0, 20}}})
	plain  = invert(class{{0, 0x1f}, {'"', '"'}, {'\\', '\\'}})
	escape = seq{literal(`\`), alt{class{{'"', '"'}, {'\\', '\\'}, {'/', '/'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}},
		seq{literal("u"), alt{
			seq{class{{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}}, repeat{hex, 3, 3}},
			seq{class{{'d', 'd'}, {'D', 'D'}}, class{{'0', '7'}}, repeat{hex, 2, 2}},
		}},
	}}
	hex      = class{{'0', '9'}, {'a', 'f'}, {'A', 'F'}}
	char     = alt{plain, escape}
	whole    = seq{optional(literal("-")), alt{literal("0"), seq{class{{'1', '9'}}, repeat{digit, 0, 14}}}}
	fraction = seq{literal("."), repeat{digit, 1, 15}}
	exponent = seq{class{{'e', 'e'}, {'E', 'E'}}, optional(class{{'+', '+'}, {'-', '-'}}), repeat{digit, 1, 2}}
)

// common are the rules that schemas refer to. A name that a schema gives has a
// slash in it.
func common() map[string]expr {
	return map[string]expr{
		"space":   space,
		"char":    char,
		"string":  seq{literal(`"`), repeat{ref("char"), 0, -1}, literal(`"`)},
		"integer": whole,
		"number":  seq{whole, optional(fraction), optional(exponent)},
		"boolean": alt{literal("true"), literal("false")},
		"null":    literal("null"),
		"value":   alt{ref("object"), ref("array"), ref("string"), ref("number"), ref("boolean"), ref("null")},
		"array":   between("[", list(ref("value"), 0, -1), "]"),
		"object":  between("{", list(seq{ref("string"), colon(), ref("value")}, 0, -1), "}"),
	}
}

func colon() expr { return seq{literal(":"), ref("space")} }
func comma() expr { return seq{literal(","), ref("space")} }

func between(open string, e expr, end string) expr {
	return seq{literal(open), ref("space"), e, ref("space"), literal(end)}
}

// list is min to max times e, separated by commas; max -1: any number.
func list(e expr, min, max int) expr {
	if max == 0 {
		return seq{}
	}
	more := repeat{seq{comma(), e}, 0, -1}
	if max > 0 {
		more.max = max - 1
	}
	if min > 0 {
		more.min = min - 1
		return seq{e, more}
	}
	return optional(seq{e, more})
}

// text is the JSON of a value, with white space where others may have it.
func (v *value) text() expr {
	switch x := v.v.(type) {
	case *object:
		var items seq
		for i, k := range x.keys {
			if i > 0 {
				items = append(items, comma())
			}
			items = append(items, quoted(k), colon(), x.vals[i].text())
		}
		return between("{", items, "}")
	case []*value:
		var items seq
		for i, e := range x {
			if i > 0 {
				items = append(items, comma())
			}
			items = append(items, e.text())
		}
		return between("[", items, "]")
	case string:
		return quoted(x)
	case json.Number:
		return literal(x.String())
	case bool:
		return literal(fmt.Sprint(x))
	}
	return literal("null")
}

// quoted is the JSON of a string, as it is mostly written.
func quoted(s string) literal {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(s) // of a string: cannot fail
	return literal(strings.TrimSuffix(b.String(), "\n"))
}

// otherKey is a string of letters, digits and a few signs, none of keys.
func otherKey(keys []string) expr {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	return seq{literal(`"`), other(slices.Compact(keys))}
}

var keyChars = class{{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'_', '_'}, {'-', '-'}, {'.', '.'}, {'$', '$'}}

// other is the rest of a key that none of the sorted keys is.
func other(keys []string) expr {
	var branches alt
	if len(keys) == 0 || keys[0] != "" {
		branches = append(branches, literal(`"`))
	} else {
		keys = keys[1:]
	}
	free := keyChars
	for len(keys) > 0 {
		c := keys[0][0]
		n := 0
		var rest []string
		for n < len(keys) && keys[n][0] == c {
			rest = append(rest, keys[n][1:])
			n++
		}
		keys = keys[n:]
		free = except(free, rune(c))
		if slices.ContainsFunc(keyChars, func(s span) bool { return s.lo <= rune(c) && rune(c) <= s.hi }) {
			branches = append(branches, seq{literal(string(rune(c))), other(rest)})
		}
	}
	if len(free) > 0 {
		branches = append(branches, seq{free, repeat{keyChars, 0, -1}, literal(`"`)})
	}
	return branches
}

// except is c without a character.
func except(c class, r rune) class {
	var out class
	for _, s := range c {
		if r < s.lo || r > s.hi {
			out = append(out, s)
			continue
		}
		if s.lo < r {
			out = append(out, span{s.lo, r - 1})
		}
		if r < s.hi {
			out = append(out, span{r + 1, s.hi})
		}
	}
	return out
}

// oneOf is one of some texts, with what they begin with alike in common: thousands
// of them would otherwise all be tried side by side.
func oneOf(texts []string) expr {
	texts = slices.Clone(texts)
	slices.Sort(texts)
	return branch(slices.Compact(texts))
}

// branch is one of some sorted, different texts.
func branch(texts []string) expr {
	if len(texts) == 1 {
		return literal(texts[0])
	}
	var out alt
	if texts[0] == "" {
		out, texts = alt{literal("")}, texts[1:]
	}
	for len(texts) > 0 {
		n := 1
		for n < len(texts) && texts[n][0] == texts[0][0] {
			n++
		}
		first, last := texts[0], texts[n-1]
		same := 0 // bytes that all n share: those that the first and the last do
		for same < len(first) && same < len(last) && first[same] == last[same] {
			same++
		}
		rest := make([]string, n)
		for i := range rest {
			rest[i] = texts[i][same:]
		}
		out = append(out, seq{literal(first[:same]), branch(rest)})
		texts = texts[n:]
	}
	return out
}
