package grammar

import (
	"fmt"
	"regexp/syntax"
	"unicode"
)

// fromPattern makes of a regular expression what stands between the quotes of a
// JSON string that it matches. Anchors may stand at the ends of alternatives only;
// where there is none anything may come.
func fromPattern(pattern string) (expr, error) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	return anchored(re)
}

var anything = repeat{ref("char"), 0, -1}

// anchored compiles an expression that is a whole pattern.
func anchored(re *syntax.Regexp) (expr, error) {
	switch re.Op {
	case syntax.OpAlternate:
		var out alt
		for _, sub := range re.Sub {
			e, err := anchored(sub)
			if err != nil {
				return nil, err
			}
			out = append(out, e)
		}
		return out, nil
	case syntax.OpCapture:
		return anchored(re.Sub[0])
	}
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	var out seq
	begin, end := false, false
	for len(parts) > 0 && parts[0].Op == syntax.OpBeginText {
		begin, parts = true, parts[1:]
	}
	for n := len(parts); n > 0 && parts[n-1].Op == syntax.OpEndText; n-- {
		end, parts = true, parts[:n-1]
	}
	if !begin {
		out = append(out, anything)
	}
	for _, p := range parts {
		e, err := compilePattern(p)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	if !end {
		out = append(out, anything)
	}
	return out, nil
}

func compilePattern(re *syntax.Regexp) (expr, error) {
	var subs seq
	for _, s := range re.Sub {
		e, err := compilePattern(s)
		if err != nil {
			return nil, err
		}
		subs = append(subs, e)
	}
	switch re.Op {
	case syntax.OpEmptyMatch:
		return seq{}, nil
	case syntax.OpLiteral:
		var out seq
		for _, r := range re.Rune {
			c := class{{r, r}}
			if re.Flags&syntax.FoldCase != 0 {
				for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
					c = append(c, span{f, f})
				}
			}
			e, err := written(c)
			if err != nil {
				return nil, err
			}
			out = append(out, e)
		}
		return out, nil
	case syntax.OpCharClass:
		var c class
		for i := 0; i < len(re.Rune); i += 2 {
			c = append(c, span{re.Rune[i], re.Rune[i+1]})
		}
		return written(c)
	case syntax.OpAnyCharNotNL: // in JavaScript neither of these
		return written(invert(class{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}))
	case syntax.OpAnyChar:
		return written(invert(nil))
	case syntax.OpCapture, syntax.OpConcat:
		return subs, nil
	case syntax.OpAlternate:
		return alt(subs), nil
	case syntax.OpStar:
		return repeat{subs, 0, -1}, nil
	case syntax.OpPlus:
		return repeat{subs, 1, -1}, nil
	case syntax.OpQuest:
		return optional(subs), nil
	case syntax.OpRepeat:
		return repeat{subs, re.Min, re.Max}, nil
	}
	return nil, fmt.Errorf("%s is not supported here", re)
}

// written is the characters of c as JSON writes them: as they are, or by an escape
// of one letter.
func written(c class) (expr, error) {
	has := func(r rune) bool {
		for _, s := range c {
			if s.lo <= r && r <= s.hi {
				return true
			}
		}
		return false
	}
	raw := invert(append(class{{0, 0x1f}, {'"', '"'}, {'\\', '\\'}}, invert(c)...))
	out := alt{}
	if len(raw) > 0 {
		out = append(out, raw)
	}
	for _, e := range []struct {
		r      rune
		letter string
	}{{'"', `"`}, {'\\', `\`}, {'\n', "n"}, {'\r', "r"}, {'\t', "t"}, {'\b', "b"}, {'\f', "f"}} {
		if has(e.r) {
			out = append(out, literal(`\`+e.letter))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("a class without characters that can be written")
	}
	return out, nil
}
