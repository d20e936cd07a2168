package grammar

import (
	"errors"
	"fmt"
	"math"
)

var (
	ErrGrammar = errors.New("grammar: bad grammar")
	ErrSchema  = errors.New("grammar: schema not supported") // or malformed; the message says where
	ErrText    = errors.New("grammar: text that the grammar does not allow")
)

const (
	maxStates  = 1 << 18
	maxStack   = 1 << 9  // calls within each other: deeper ones are not taken
	maxConfigs = 1 << 16 // that a text can be in at once: more are an error
	never      = math.MaxInt32 / 4
)

// Grammar is a compiled grammar. It may be used by many goroutines.
//
// It is a network: each rule has states from its start to its end, joined by bytes,
// by nothing, or by a call of a rule.
type Grammar struct {
	states []state
	start  int32 // of the rule root
}

type state struct {
	bytes []byteEdge
	free  []int32
	calls []call
	end   bool  // the rule is over
	tail  bool  // nothing but the end can follow
	least int32 // bytes to the end of the rule, at least
}

type byteEdge struct {
	byteRange
	to int32
}

type call struct{ start, to int32 }

// compile builds the network of rules; the text is rule root.
func compile(rules map[string]expr, order []string) (*Grammar, error) {
	b := &builder{rules: rules, starts: map[string]int32{}}
	if rules["root"] == nil {
		return nil, fmt.Errorf("%w: no rule named root", ErrGrammar)
	}
	for _, name := range order {
		b.starts[name] = b.state()
	}
	for _, name := range order {
		end := b.add(rules[name], b.starts[name])
		b.at(end).end = true
	}
	if b.err != nil {
		return nil, b.err
	}
	g := &Grammar{states: b.states, start: b.starts["root"]}
	g.measure()
	for _, name := range order {
		if s := b.starts[name]; g.states[s].least >= never {
			return nil, fmt.Errorf("%w: rule %s has no finite text", ErrGrammar, name)
		}
	}
	return g, g.refuseLeftRecursion(b.starts, order)
}

type builder struct {
	rules  map[string]expr
	starts map[string]int32
	states []state
	err    error
}

func (b *builder) state() int32 {
	if len(b.states) >= maxStates {
		if b.err == nil {
			b.err = fmt.Errorf("%w: more than %d states", ErrGrammar, maxStates)
		}
		return 0
	}
	b.states = append(b.states, state{})
	return int32(len(b.states) - 1)
}

func (b *builder) at(s int32) *state { return &b.states[s] }

func (b *builder) free(from, to int32) { b.at(from).free = append(b.at(from).free, to) }

// add adds what reads e from a state on, and returns the state behind it.
func (b *builder) add(e expr, from int32) int32 {
	if b.err != nil {
		return from
	}
	switch e := e.(type) {
	case literal:
		for i := range len(e) {
			to := b.state()
			b.at(from).bytes = append(b.at(from).bytes, byteEdge{byteRange{e[i], e[i]}, to})
			from = to
		}
		return from
	case class:
		to := b.state()
		for _, s := range e {
			s.encodings(func(r []byteRange) {
				at := from
				for i, x := range r {
					next := to
					if i < len(r)-1 {
						next = b.state()
					}
					b.at(at).bytes = append(b.at(at).bytes, byteEdge{x, next})
					at = next
				}
			})
		}
		return to
	case seq:
		for _, x := range e {
			from = b.add(x, from)
		}
		return from
	case alt:
		to := b.state()
		for _, x := range e {
			start := b.state()
			b.free(from, start)
			b.free(b.add(x, start), to)
		}
		return to
	case repeat:
		return b.repeat(e, from)
	case ref:
		start, ok := b.starts[string(e)]
		if !ok {
			b.err = fmt.Errorf("%w: no rule named %s", ErrGrammar, e)
			return from
		}
		to := b.state()
		b.at(from).calls = append(b.at(from).calls, call{start, to})
		return to
	}
	b.err = fmt.Errorf("%w: expression of type %T", ErrGrammar, e)
	return from
}

func (b *builder) repeat(e repeat, from int32) int32 {
	for range e.min {
		if from = b.add(e.e, from); b.err != nil {
			return from
		}
	}
	to := b.state()
	if e.max < 0 {
		loop := b.state()
		b.free(from, loop)
		b.free(loop, to)
		b.free(b.add(e.e, loop), loop)
		return to
	}
	for range e.max - e.min {
		b.free(from, to)
		start := b.state()
		b.free(from, start)
		if from = b.add(e.e, start); b.err != nil {
			return from
		}
	}
	b.free(from, to)
	return to
}

// refuseLeftRecursion finds rules that call themselves before they read a byte.
func (g *Grammar) refuseLeftRecursion(starts map[string]int32, order []string) error {
	names := map[int32]string{}
	for n, s := range starts {
		names[s] = n
	}
	empty := func(start int32) bool { return g.states[start].least == 0 }
	const busy, done = 1, 2
	mark := map[int32]int{}
	var visit func(start int32) error
	visit = func(start int32) error {
		mark[start] = busy
		seen := map[int32]bool{}
		todo := []int32{start}
		for len(todo) > 0 {
			s := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if seen[s] {
				continue
			}
			seen[s] = true
			todo = append(todo, g.states[s].free...)
			for _, c := range g.states[s].calls {
				if mark[c.start] == busy {
					return fmt.Errorf("%w: rule %s calls itself before it reads anything", ErrGrammar, names[c.start])
				}
				if mark[c.start] == 0 {
					if err := visit(c.start); err != nil {
						return err
					}
				}
				if empty(c.start) {
					todo = append(todo, c.to)
				}
			}
		}
		mark[start] = done
		return nil
	}
	for _, name := range order {
		if mark[starts[name]] == 0 {
			if err := visit(starts[name]); err != nil {
				return err
			}
		}
	}
	return nil
}
