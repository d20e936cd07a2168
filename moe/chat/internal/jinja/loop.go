package jinja

// loop is a for statement.
type loop struct {
	target     target
	cond       expr
	body, none []stmt
	recursive  bool
}

func (l *loop) run(r *run, s *scope, over any, depth int64) {
	items := r.iterate(over)
	if l.cond != nil {
		var kept []any
		for _, v := range items {
			in := s.inner()
			l.target.assign(r, in, v)
			if truth(l.cond(r, in)) {
				kept = append(kept, v)
			}
		}
		r.charge(16 * len(kept))
		items = kept
	}
	if len(items) == 0 {
		exec(l.none, r, s.inner())
		return
	}
	var seen any = undefined{"changed"}
	for i, v := range items {
		r.step()
		in := s.inner()
		in.set("loop", &loopState{l, s, items, i, depth, &seen})
		l.target.assign(r, in, v)
		if exec(l.body, r, in) == breakLoop {
			return
		}
	}
}

// loopState is the variable loop.
type loopState struct {
	l     *loop
	s     *scope // around the loop
	items []any
	i     int
	depth int64
	seen  *any
}

func (l *loopState) attr(name string) any {
	i, n := int64(l.i), int64(len(l.items))
	switch name {
	case "index":
		return i + 1
	case "index0":
		return i
	case "revindex":
		return n - i
	case "revindex0":
		return n - i - 1
	case "first":
		return i == 0
	case "last":
		return i == n-1
	case "length":
		return n
	case "depth":
		return l.depth + 1
	case "depth0":
		return l.depth
	case "previtem":
		if i > 0 {
			return l.items[i-1]
		}
	case "nextitem":
		if i < n-1 {
			return l.items[i+1]
		}
	case "cycle":
		return &function{name, func(r *run, a args) any {
			if len(a.list) == 0 {
				fail("cycle: nothing to cycle through")
			}
			return a.list[l.i%len(a.list)]
		}}
	case "changed":
		return &function{name, func(r *run, a args) any {
			v := &List{items: a.list}
			if r.equal(*l.seen, v) {
				return false
			}
			*l.seen = v
			return true
		}}
	}
	return undefined{name}
}

// again runs a recursive loop over the items of a.
func (l *loopState) again(r *run, a args) any {
	if !l.l.recursive {
		fail("the loop is not recursive")
	}
	return r.capture(func() { l.l.run(r, l.s, a.arg(0, "", nil), l.depth+1) })
}
