package jinja

import (
	"strconv"
)

// expr is a parsed expression.
type expr func(r *run, s *scope) any

// parser turns tokens into expressions and statements.
type parser struct {
	toks  []token
	i     int
	depth int
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxNest {
		fail("nested too deeply")
	}
}

func (p *parser) leave() { p.depth-- }

func (p *parser) peek() token {
	if p.i >= len(p.toks) {
		fail("unexpected end of the template")
	}
	return p.toks[p.i]
}

func (p *parser) next() token {
	t := p.peek()
	p.i++
	return t
}

// op consumes an operator if it is next.
func (p *parser) op(text string) bool {
	if t := p.peek(); t.kind == opToken && t.text == text {
		p.i++
		return true
	}
	return false
}

// word consumes a keyword if it is next.
func (p *parser) word(text string) bool {
	if t := p.peek(); t.kind == nameToken && t.text == text {
		p.i++
		return true
	}
	return false
}

func (p *parser) isWord(text string) bool {
	t := p.peek()
	return t.kind == nameToken && t.text == text
}

func (p *parser) want(op string) {
	if !p.op(op) {
		fail("want %q, found %s", op, p.peek())
	}
}

func (p *parser) name() string {
	t := p.next()
	if t.kind != nameToken {
		fail("want a name, found %s", t)
	}
	return t.text
}

// expr parses a conditional expression.
func (p *parser) expr() expr {
	p.enter()
	defer p.leave()
	e := p.or()
	for p.word("if") {
		cond := p.or()
		var other expr = func(*run, *scope) any { return undefined{"conditional without else"} }
		if p.word("else") {
			other = p.expr()
		}
		then := e
		e = func(r *run, s *scope) any {
			if truth(cond(r, s)) {
				return then(r, s)
			}
			return other(r, s)
		}
	}
	return e
}

func (p *parser) or() expr {
	e := p.and()
	for p.word("or") {
		a, b := e, p.and()
		e = func(r *run, s *scope) any {
			if v := a(r, s); truth(v) {
				return v
			}
			return b(r, s)
		}
	}
	return e
}

func (p *parser) and() expr {
	e := p.not()
	for p.word("and") {
		a, b := e, p.not()
		e = func(r *run, s *scope) any {
			if v := a(r, s); !truth(v) {
				return v
			}
			return b(r, s)
		}
	}
	return e
}

func (p *parser) not() expr {
	if p.word("not") {
		p.enter()
		defer p.leave()
		e := p.not()
		return func(r *run, s *scope) any { return !truth(e(r, s)) }
	}
	return p.compare()
}

// compare parses comparisons, which chain: a < b < c.
func (p *parser) compare() expr {
	first := p.sum()
	var ops []string
	var rest []expr
	for {
		t := p.peek()
		op := t.text
		switch {
		case t.kind == opToken && (op == "==" || op == "!=" || op == "<" || op == "<=" || op == ">" || op == ">="):
			p.i++
		case t.kind == nameToken && op == "in":
			p.i++
		case t.kind == nameToken && op == "not" && p.i+1 < len(p.toks) && p.toks[p.i+1].text == "in":
			p.i += 2
			op = "not in"
		default:
			if ops == nil {
				return first
			}
			return func(r *run, s *scope) any {
				a := first(r, s)
				for i, op := range ops {
					b := rest[i](r, s)
					if !r.compare(op, a, b) {
						return false
					}
					a = b
				}
				return true
			}
		}
		ops, rest = append(ops, op), append(rest, p.sum())
	}
}

func (r *run) compare(op string, a, b any) bool {
	switch op {
	case "==":
		return r.equal(a, b)
	case "!=":
		return !r.equal(a, b)
	case "<":
		return r.less(a, b)
	case "<=":
		return !r.less(b, a)
	case ">":
		return r.less(b, a)
	case ">=":
		return !r.less(a, b)
	case "in":
		return r.contains(b, a)
	}
	return !r.contains(b, a)
}

// binary parses operators of one rank from left to right.
func (p *parser) binary(operand func() expr, ops ...string) expr {
	e := operand()
	for {
		found := ""
		for _, o := range ops {
			if p.op(o) {
				found = o
				break
			}
		}
		if found == "" {
			return e
		}
		a, b, op := e, operand(), found
		e = func(r *run, s *scope) any {
			r.step()
			x := a(r, s)
			return r.arithmetic(op, x, b(r, s))
		}
	}
}

func (p *parser) sum() expr     { return p.binary(p.concat, "+", "-") }
func (p *parser) concat() expr  { return p.binary(p.product, "~") }
func (p *parser) product() expr { return p.binary(p.power, "*", "//", "/", "%") }
func (p *parser) power() expr   { return p.binary(p.unary, "**") }

func (p *parser) unary() expr {
	p.enter()
	defer p.leave()
	for _, op := range []string{"-", "+"} {
		if p.op(op) {
			e := p.unarySimple()
			return p.filters(func(r *run, s *scope) any { return r.signed(op, e(r, s)) })
		}
	}
	return p.filters(p.postfix(p.primary()))
}

func (p *parser) unarySimple() expr {
	p.enter()
	defer p.leave()
	for _, op := range []string{"-", "+"} {
		if p.op(op) {
			e := p.unarySimple()
			return func(r *run, s *scope) any { return r.signed(op, e(r, s)) }
		}
	}
	return p.postfix(p.primary())
}

func (p *parser) primary() expr {
	t := p.next()
	switch t.kind {
	case nameToken:
		switch t.text {
		case "true", "True":
			return constant(true)
		case "false", "False":
			return constant(false)
		case "none", "None":
			return constant(nil)
		}
		name := t.text
		return func(r *run, s *scope) any {
			r.step()
			return s.get(name)
		}
	case stringToken:
		text := t.text
		for p.peek().kind == stringToken {
			text += p.next().text
		}
		return constant(text)
	case intToken:
		v, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			fail("integer %s: %v", t.text, err)
		}
		return constant(v)
	case floatToken:
		v, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			fail("number %s: %v", t.text, err)
		}
		return constant(v)
	case opToken:
		switch t.text {
		case "(":
			return p.tuple(")", true)
		case "[":
			return p.tuple("]", false)
		case "{":
			return p.dict()
		}
	}
	fail("unexpected %s", t)
	return nil
}

func constant(v any) expr { return func(*run, *scope) any { return v } }

// tuple parses what is between parentheses, which may be one expression, or
// brackets.
func (p *parser) tuple(end string, paren bool) expr {
	var items []expr
	comma := false
	for !p.op(end) {
		if len(items) > 0 {
			p.want(",")
			comma = true
			if p.op(end) {
				break
			}
		}
		items = append(items, p.expr())
	}
	if paren && len(items) == 1 && !comma {
		return items[0]
	}
	return list(items, paren)
}

func list(items []expr, tuple bool) expr {
	return func(r *run, s *scope) any {
		r.step()
		r.charge(16 * len(items))
		l := &List{tuple: tuple}
		for _, e := range items {
			l.items = append(l.items, e(r, s))
		}
		return l
	}
}

func (p *parser) dict() expr {
	var keys, vals []expr
	for !p.op("}") {
		if len(keys) > 0 {
			p.want(",")
			if p.op("}") {
				break
			}
		}
		keys = append(keys, p.expr())
		p.want(":")
		vals = append(vals, p.expr())
	}
	return func(r *run, s *scope) any {
		r.step()
		r.charge(48 * len(keys))
		d := NewDict()
		for i := range keys {
			d.put(hashable(keys[i](r, s)), vals[i](r, s))
		}
		return d
	}
}

// postfix parses attributes, items, slices and calls.
func (p *parser) postfix(e expr) expr {
	for {
		of := e
		switch {
		case p.op("."):
			if t := p.peek(); t.kind == intToken {
				p.i++
				i, _ := strconv.ParseInt(t.text, 10, 64)
				e = func(r *run, s *scope) any { return r.item(of(r, s), i) }
				continue
			}
			name := p.name()
			e = func(r *run, s *scope) any {
				r.step()
				return attr(of(r, s), name)
			}
		case p.op("["):
			e = p.subscript(of)
		case p.op("("):
			call := p.args()
			e = func(r *run, s *scope) any { return r.call(of(r, s), call(r, s)) }
		default:
			return e
		}
	}
}

func (p *parser) subscript(of expr) expr {
	var part [3]expr
	n, sliced := 0, false
	for !p.op("]") {
		if p.op(":") {
			sliced = true
			if n++; n > 2 {
				fail("slice with too many parts")
			}
			continue
		}
		if part[n] != nil {
			fail("want \"]\", found %s", p.peek())
		}
		part[n] = p.expr()
	}
	if !sliced {
		key := part[0]
		if key == nil {
			fail("subscript without a key")
		}
		return func(r *run, s *scope) any {
			r.step()
			v := of(r, s)
			return r.item(v, key(r, s))
		}
	}
	return func(r *run, s *scope) any {
		v := of(r, s)
		var at [3]any
		for i, e := range part {
			if e != nil {
				at[i] = e(r, s)
			}
		}
		return r.slice(v, at[0], at[1], at[2])
	}
}

// args parses arguments up to the closing parenthesis.
func (p *parser) args() func(r *run, s *scope) args {
	var list, vals []expr
	var names []string
	for first := true; !p.op(")"); first = false {
		if !first {
			p.want(",")
			if p.op(")") {
				break
			}
		}
		if t := p.peek(); t.kind == nameToken && p.i+1 < len(p.toks) && p.toks[p.i+1].kind == opToken && p.toks[p.i+1].text == "=" {
			p.i += 2
			names, vals = append(names, t.text), append(vals, p.expr())
			continue
		}
		list = append(list, p.expr())
	}
	return func(r *run, s *scope) args {
		r.charge(16*len(list) + 48*len(names))
		a := args{}
		for _, e := range list {
			a.list = append(a.list, e(r, s))
		}
		for i, n := range names {
			if a.named == nil {
				a.named = map[string]any{}
			}
			a.named[n] = vals[i](r, s)
		}
		return a
	}
}

func (r *run) call(f any, a args) any {
	r.step()
	r.enter()
	defer r.leave()
	switch f := f.(type) {
	case *function:
		return f.call(r, a)
	case *loopState:
		return f.again(r, a)
	case undefined:
		fail("%q is undefined and cannot be called", f.what)
	}
	fail("%s cannot be called", kind(f))
	return nil
}

// filters parses filters and tests behind an operand.
func (p *parser) filters(e expr) expr {
	for {
		of := e
		switch {
		case p.op("|"):
			name, call := p.filter()
			e = func(r *run, s *scope) any {
				v := of(r, s)
				return r.filter(name, v, call(r, s))
			}
		case p.word("is"):
			negate := p.word("not")
			test := p.test()
			e = func(r *run, s *scope) any { return test(r, s, of(r, s)) != negate }
		case p.op("("):
			call := p.args()
			e = func(r *run, s *scope) any { return r.call(of(r, s), call(r, s)) }
		default:
			return e
		}
	}
}

var noArgs = func(*run, *scope) args { return args{} }

// filter parses a filter's name and arguments.
func (p *parser) filter() (string, func(*run, *scope) args) {
	name := p.name()
	if _, ok := filters[name]; !ok {
		fail("no filter named %q", name)
	}
	call := noArgs
	if p.op("(") {
		call = p.args()
	}
	return name, call
}

// test parses a test's name and arguments.
func (p *parser) test() func(r *run, s *scope, v any) bool {
	name := p.name()
	f, ok := tests[name]
	if !ok {
		fail("no test named %q", name)
	}
	call := noArgs
	if p.op("(") {
		call = p.args()
	} else if t := p.peek(); t.kind == stringToken || t.kind == intToken || t.kind == floatToken ||
		t.kind == opToken && (t.text == "[" || t.text == "{") ||
		t.kind == nameToken && t.text != "else" && t.text != "or" && t.text != "and" && t.text != "is" && t.text != "if" && t.text != "in" && t.text != "not" {
		e := p.postfix(p.primary())
		call = func(r *run, s *scope) args { return args{list: []any{e(r, s)}} }
	}
	return func(r *run, s *scope, v any) bool {
		r.step()
		return f(r, v, call(r, s))
	}
}
