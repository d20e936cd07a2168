// Package jinja renders chat templates: the part of Jinja 3 that they use, with
// trim_blocks and lstrip_blocks on and autoescape off, as transformers sets it up.
//
// Templates come with checkpoints from strangers. A [Template] therefore cannot
// reach anything but the values it is given, and a rendering is bounded in steps,
// bytes and depth: an endless recursion, a range of 10**12 or a string that doubles
// itself is an error. This is why no library is used: of those there are
// (ardanlabs/jinja 1.8, gonja 2.9) neither has bounds, and a recursion that
// overflows Go's stack cannot be caught.
//
// Inside the package errors travel as panics of type *failure, which do not leave
// it: Parse and Render return them.
package jinja

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	ErrSyntax = errors.New("jinja: template cannot be parsed")
	ErrRender = errors.New("jinja: template failed")
	ErrRaised = errors.New("jinja: template refused the conversation") // raise_exception
	ErrLimit  = errors.New("jinja: template exceeds its limits")
)

const (
	maxSource = 1 << 20
	maxNest   = 200 // of expressions, statements, calls and values
)

// Limits bound a rendering.
type Limits struct {
	Steps int // expressions and statements evaluated
	Bytes int // of all values made on the way and of the result
}

// Template is a parsed template. It may be used by many goroutines.
type Template struct{ body []stmt }

// Parse parses a template of at most 1 MiB.
func Parse(src string) (t *Template, err error) {
	if len(src) > maxSource {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrLimit, len(src), maxSource)
	}
	p := &parser{}
	defer func() {
		if e := caught(recover()); e != nil {
			line := 1
			if p.i < len(p.toks) {
				line = p.toks[p.i].line
			}
			t, err = nil, fmt.Errorf("%w: line %d: %w", ErrSyntax, line, e)
		}
	}()
	p.toks = lex(src)
	body := p.body()
	if p.i < len(p.toks) {
		fail("unexpected %s", p.toks[p.i])
	}
	return &Template{body}, nil
}

// Render renders the template with variables, which are what [FromJSON] and
// [Object] make, or strings, booleans, integers and nil. Mutable ones may be changed
// by the template. now is what strftime_now tells.
func (t *Template) Render(ctx context.Context, vars map[string]any, now time.Time, l Limits) (out string, err error) {
	r := &run{ctx: ctx, steps: l.Steps, bytes: l.Bytes, now: now, out: new(strings.Builder), filters: filters, tests: tests}
	defer func() {
		if e := caught(recover()); e != nil {
			out, err = "", e
			if !errors.Is(e, ErrLimit) && !errors.Is(e, ErrRaised) && ctx.Err() == nil {
				err = fmt.Errorf("%w: line %d: %w", ErrRender, r.line, e)
			}
		}
	}()
	globals := &scope{vars: map[string]any{}}
	for name, f := range functions {
		globals.vars[name] = &function{name, f}
	}
	s := &scope{parent: globals, vars: map[string]any{}}
	for k, v := range vars {
		s.vars[k] = normal(v)
	}
	for _, st := range t.body {
		st(r, s)
	}
	return r.out.String(), nil
}

// failure is what the package panics with.
type failure struct{ err error }

func fail(format string, args ...any) {
	panic(&failure{fmt.Errorf(format, args...)})
}

// caught returns a failure's error; other panics go on.
func caught(v any) error {
	if v == nil {
		return nil
	}
	if f, ok := v.(*failure); ok {
		return f.err
	}
	panic(v)
}

// run is one rendering.
type run struct {
	ctx   context.Context
	steps int
	bytes int
	depth int
	line  int // of the statement being executed
	now   time.Time
	out   *strings.Builder

	filters map[string]filterFunc // fields, since they refer to each other
	tests   map[string]testFunc
	caller  *function // of the call block whose macro is to be called
}

// step counts work.
func (r *run) step() {
	if r.steps--; r.steps < 0 {
		panic(&failure{fmt.Errorf("%w: too many steps", ErrLimit)})
	}
	if r.steps&1023 == 0 {
		if err := r.ctx.Err(); err != nil {
			panic(&failure{err})
		}
	}
}

// charge counts n bytes of memory, before they are taken.
func (r *run) charge(n int) {
	if n < 0 || n > r.bytes {
		panic(&failure{fmt.Errorf("%w: too much memory", ErrLimit)})
	}
	r.bytes -= n
}

// enter counts depth; leave goes with it.
func (r *run) enter() {
	if r.depth++; r.depth > maxNest {
		panic(&failure{fmt.Errorf("%w: nested too deeply", ErrLimit)})
	}
}

func (r *run) leave() { r.depth-- }

func (r *run) write(s string) {
	r.charge(len(s))
	r.out.WriteString(s)
}

// capture returns what f writes.
func (r *run) capture(f func()) string {
	old := r.out
	r.out = new(strings.Builder)
	f()
	s := r.out.String()
	r.out = old
	return s
}

// scope holds variables; those of the enclosing scopes are seen, not set.
type scope struct {
	vars   map[string]any
	parent *scope
}

func (s *scope) inner() *scope { return &scope{parent: s} }

func (s *scope) get(name string) any {
	for ; s != nil; s = s.parent {
		if v, ok := s.vars[name]; ok {
			return v
		}
	}
	return undefined{name}
}

func (s *scope) set(name string, v any) {
	if s.vars == nil {
		s.vars = map[string]any{}
	}
	s.vars[name] = v
}
