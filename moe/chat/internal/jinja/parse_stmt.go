package jinja

// stmt is a parsed statement. It reports how the enclosing loop goes on.
type stmt func(r *run, s *scope) flow

type flow uint8

const (
	onward flow = iota
	breakLoop
	continueLoop
)

func exec(body []stmt, r *run, s *scope) flow {
	for _, st := range body {
		if f := st(r, s); f != onward {
			return f
		}
	}
	return onward
}

// body parses statements up to the end of the template or a block that begins
// with one of the words, of which it has consumed the begin only.
func (p *parser) body(until ...string) []stmt {
	p.enter()
	defer p.leave()
	var list []stmt
	for p.i < len(p.toks) {
		t := p.next()
		switch t.kind {
		case textToken:
			text := t.text
			list = append(list, func(r *run, _ *scope) flow {
				r.step()
				r.write(text)
				return onward
			})
		case beginOutput:
			e := p.exprOrTuple()
			p.end(endOutput)
			list = append(list, func(r *run, s *scope) flow {
				r.line = t.line
				r.step()
				r.write(r.str(e(r, s)))
				return onward
			})
		case beginBlock:
			for _, w := range until {
				if p.isWord(w) {
					return list
				}
			}
			if st := p.block(); st != nil {
				list = append(list, func(r *run, s *scope) flow {
					r.line = t.line
					r.step()
					return st(r, s)
				})
			}
		default:
			fail("unexpected %s", t)
		}
	}
	if len(until) > 0 {
		fail("want %q before the end of the template", until)
	}
	return list
}

func (p *parser) end(k tokenKind) {
	if t := p.next(); t.kind != k {
		fail("want the end of the tag, found %s", t)
	}
}

// closing consumes the word that ends a block, and the tag's end.
func (p *parser) closing(word string) {
	if !p.word(word) {
		fail("want %q, found %s", word, p.peek())
	}
	p.end(endBlock)
}

// exprOrTuple parses expressions separated by commas, without parentheses.
func (p *parser) exprOrTuple() expr {
	items := []expr{p.expr()}
	comma := false
	for p.op(",") {
		comma = true
		if k := p.peek().kind; k == endBlock || k == endOutput {
			break
		}
		items = append(items, p.expr())
	}
	if !comma {
		return items[0]
	}
	return list(items, true)
}

func (p *parser) block() stmt {
	switch word := p.name(); word {
	case "if":
		return p.ifBlock()
	case "for":
		return p.forBlock()
	case "set":
		return p.setBlock()
	case "macro":
		return p.macroBlock()
	case "call":
		return p.callBlock()
	case "filter":
		return p.filterBlock()
	case "with":
		return p.withBlock()
	case "generation": // marks what an assistant said, for training
		p.end(endBlock)
		body := p.body("endgeneration")
		p.closing("endgeneration")
		return func(r *run, s *scope) flow { return exec(body, r, s) }
	case "break":
		p.end(endBlock)
		return func(*run, *scope) flow { return breakLoop }
	case "continue":
		p.end(endBlock)
		return func(*run, *scope) flow { return continueLoop }
	case "do":
		e := p.expr()
		p.end(endBlock)
		return func(r *run, s *scope) flow {
			e(r, s)
			return onward
		}
	default:
		fail("no statement named %q", word)
		return nil
	}
}

func (p *parser) ifBlock() stmt {
	var conds []expr
	var bodies [][]stmt
	for {
		conds = append(conds, p.exprOrTuple())
		p.end(endBlock)
		bodies = append(bodies, p.body("elif", "else", "endif"))
		if p.word("elif") {
			continue
		}
		if p.word("else") {
			p.end(endBlock)
			bodies = append(bodies, p.body("endif"))
		}
		p.closing("endif")
		break
	}
	return func(r *run, s *scope) flow {
		for i, c := range conds {
			if truth(c(r, s)) {
				return exec(bodies[i], r, s)
			}
		}
		if len(bodies) > len(conds) {
			return exec(bodies[len(conds)], r, s)
		}
		return onward
	}
}

// target is what can be assigned to: names, and attributes of namespaces.
type target struct {
	names []string
	attr  string
}

func (p *parser) target(attrs bool) target {
	paren := p.op("(")
	t := target{names: []string{p.name()}}
	if attrs && p.op(".") {
		t.attr = p.name()
		return t
	}
	for p.op(",") {
		t.names = append(t.names, p.name())
	}
	if paren {
		p.want(")")
	}
	return t
}

func (t target) assign(r *run, s *scope, v any) {
	if t.attr != "" {
		d, ok := s.get(t.names[0]).(*Dict)
		if !ok || !d.object || d.frozen {
			fail("%s is no namespace", t.names[0])
		}
		r.charge(32)
		d.put(t.attr, v)
		return
	}
	if len(t.names) == 1 {
		s.set(t.names[0], v)
		return
	}
	items := r.iterate(v)
	if len(items) != len(t.names) {
		fail("%d values for %d names", len(items), len(t.names))
	}
	for i, n := range t.names {
		s.set(n, items[i])
	}
}

func (p *parser) setBlock() stmt {
	t := p.target(true)
	if p.op("=") {
		e := p.exprOrTuple()
		p.end(endBlock)
		return func(r *run, s *scope) flow {
			t.assign(r, s, e(r, s))
			return onward
		}
	}
	filter := func(r *run, s *scope, text string) any { return text }
	if p.op("|") {
		name, call := p.filter()
		filter = func(r *run, s *scope, text string) any { return r.filter(name, text, call(r, s)) }
	}
	p.end(endBlock)
	body := p.body("endset")
	p.closing("endset")
	return func(r *run, s *scope) flow {
		text := r.capture(func() { exec(body, r, s.inner()) })
		t.assign(r, s, filter(r, s, text))
		return onward
	}
}

func (p *parser) withBlock() stmt {
	var names []target
	var vals []expr
	for p.peek().kind != endBlock {
		if len(names) > 0 {
			p.want(",")
		}
		names = append(names, p.target(false))
		p.want("=")
		vals = append(vals, p.expr())
	}
	p.end(endBlock)
	body := p.body("endwith")
	p.closing("endwith")
	return func(r *run, s *scope) flow {
		in := s.inner()
		for i, t := range names {
			t.assign(r, in, vals[i](r, s))
		}
		return exec(body, r, in)
	}
}

func (p *parser) filterBlock() stmt {
	name, call := p.filter()
	p.end(endBlock)
	body := p.body("endfilter")
	p.closing("endfilter")
	return func(r *run, s *scope) flow {
		text := r.capture(func() { exec(body, r, s.inner()) })
		r.write(r.str(r.filter(name, text, call(r, s))))
		return onward
	}
}

func (p *parser) forBlock() stmt {
	t := p.target(false)
	if !p.word("in") {
		fail("want \"in\", found %s", p.peek())
	}
	// A conditional here would take the loop's own "if" for its own.
	over := p.or()
	if p.op(",") {
		rest := []expr{over, p.or()}
		for p.op(",") {
			rest = append(rest, p.or())
		}
		over = list(rest, true)
	}
	var cond expr
	if p.word("if") {
		cond = p.expr()
	}
	recursive := p.word("recursive")
	p.end(endBlock)
	body := p.body("else", "endfor")
	var none []stmt
	if p.word("else") {
		p.end(endBlock)
		none = p.body("endfor")
	}
	p.closing("endfor")
	l := &loop{target: t, cond: cond, body: body, none: none, recursive: recursive}
	return func(r *run, s *scope) flow {
		l.run(r, s, over(r, s), 0)
		return onward
	}
}

// params are a macro's parameters.
type params struct {
	names    []string
	defaults []expr // nil without
}

func (p *parser) params() params {
	var list params
	for !p.op(")") {
		if len(list.names) > 0 {
			p.want(",")
			if p.op(")") {
				break
			}
		}
		list.names = append(list.names, p.name())
		var def expr
		if p.op("=") {
			def = p.expr()
		}
		list.defaults = append(list.defaults, def)
	}
	return list
}

// bind makes a function of a body.
func (ps params) bind(name string, body []stmt, s *scope) *function {
	return &function{name, func(r *run, a args) any {
		in := s.inner()
		if len(a.list) > len(ps.names) {
			in.set("varargs", &List{items: a.list[len(ps.names):], tuple: true})
		}
		for i, n := range ps.names {
			v := a.arg(i, n, undefined{n})
			if _, missing := v.(undefined); missing && ps.defaults[i] != nil {
				v = ps.defaults[i](r, in)
			}
			in.set(n, v)
		}
		if r.caller != nil {
			in.set("caller", r.caller)
			r.caller = nil
		}
		line := r.line
		text := r.capture(func() { exec(body, r, in) })
		r.line = line
		return text
	}}
}

func (p *parser) macroBlock() stmt {
	name := p.name()
	p.want("(")
	ps := p.params()
	p.end(endBlock)
	body := p.body("endmacro")
	p.closing("endmacro")
	return func(r *run, s *scope) flow {
		s.set(name, ps.bind(name, body, s))
		return onward
	}
}

// callBlock parses {% call(params) macro(args) %}: the macro calls its body as
// caller().
func (p *parser) callBlock() stmt {
	var ps params
	if p.op("(") {
		ps = p.params()
	}
	e := p.postfix(p.primary())
	p.end(endBlock)
	body := p.body("endcall")
	p.closing("endcall")
	return func(r *run, s *scope) flow {
		r.caller = ps.bind("caller", body, s)
		v := e(r, s)
		r.caller = nil
		r.write(r.str(v))
		return onward
	}
}
