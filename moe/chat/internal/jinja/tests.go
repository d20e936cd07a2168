package jinja

import "strings"

func compares(op string) func(*run, any, args) bool {
	return func(r *run, v any, a args) bool { return r.compare(op, v, a.arg(0, "", nil)) }
}

func isNumber(_ *run, v any, _ args) bool {
	switch v.(type) {
	case int64, float64, bool: // as in Python, truth values are numbers
		return true
	}
	return false
}

func isSequence(_ *run, v any, _ args) bool {
	switch v := v.(type) {
	case string, *List, undefined:
		return true
	case *Dict:
		return !v.object
	}
	return false
}

func same(r *run, v any, a args) bool {
	w := a.arg(0, "", nil)
	if kind(v) != kind(w) {
		return false
	}
	switch v.(type) {
	case *List, *Dict, *function:
		return v == w
	}
	return r.equal(v, w)
}

var tests = map[string]testFunc{
	"boolean":  func(_ *run, v any, _ args) bool { _, ok := v.(bool); return ok },
	"callable": func(_ *run, v any, _ args) bool { _, ok := v.(*function); return ok },
	"defined":  func(_ *run, v any, _ args) bool { _, no := v.(undefined); return !no },
	"divisibleby": func(r *run, v any, a args) bool {
		return integer(integers("%", integer(v), integer(a.arg(0, "num", nil)))) == 0
	},
	"eq":          compares("=="),
	"equalto":     compares("=="),
	"even":        func(_ *run, v any, _ args) bool { return integer(v)%2 == 0 },
	"false":       func(_ *run, v any, _ args) bool { return v == false },
	"float":       func(_ *run, v any, _ args) bool { _, ok := v.(float64); return ok },
	"ge":          compares(">="),
	"gt":          compares(">"),
	"greaterthan": compares(">"),
	"in":          compares("in"),
	"integer":     func(_ *run, v any, _ args) bool { _, ok := v.(int64); return ok },
	"iterable":    isSequence,
	"le":          compares("<="),
	"lower": func(r *run, v any, _ args) bool {
		s := r.str(v)
		return strings.ToLower(s) == s && strings.ToUpper(s) != s
	},
	"lt":        compares("<"),
	"lessthan":  compares("<"),
	"mapping":   func(_ *run, v any, _ args) bool { d, ok := v.(*Dict); return ok && !d.object },
	"ne":        compares("!="),
	"none":      func(_ *run, v any, _ args) bool { return v == nil },
	"number":    isNumber,
	"odd":       func(_ *run, v any, _ args) bool { return integer(v)%2 != 0 },
	"sameas":    same,
	"sequence":  isSequence,
	"string":    func(_ *run, v any, _ args) bool { _, ok := v.(string); return ok },
	"true":      func(_ *run, v any, _ args) bool { return v == true },
	"undefined": func(_ *run, v any, _ args) bool { _, ok := v.(undefined); return ok },
	"upper": func(r *run, v any, _ args) bool {
		s := r.str(v)
		return strings.ToUpper(s) == s && strings.ToLower(s) != s
	},
}
