package jinja

import (
	"fmt"
	"math"
	"strings"
)

// arithmetic is Python's binary operators.
func (r *run) arithmetic(op string, a, b any) any {
	if op == "~" {
		s, t := r.str(a), r.str(b)
		r.charge(len(s) + len(t))
		return s + t
	}
	for _, v := range []any{a, b} {
		if u, ok := v.(undefined); ok {
			fail("%q is undefined", u.what)
		}
	}
	if s, ok := a.(string); ok {
		switch op {
		case "+":
			if t, ok := b.(string); ok {
				r.charge(len(s) + len(t))
				return s + t
			}
		case "*":
			return r.repeat(s, b)
		case "%":
			return r.percent(s, b)
		}
	}
	if t, ok := b.(string); ok && op == "*" {
		return r.repeat(t, a)
	}
	if l, ok := a.(*List); ok {
		if m, ok := b.(*List); ok && op == "+" && l.tuple == m.tuple {
			r.charge(16 * (len(l.items) + len(m.items)))
			return &List{items: append(append([]any(nil), l.items...), m.items...), tuple: l.tuple}
		}
		if n, ok := b.(int64); ok && op == "*" {
			r.times(16*len(l.items), n)
			out := &List{tuple: l.tuple}
			for range n {
				out.items = append(out.items, l.items...)
			}
			return out
		}
	}
	x, okx := number(a)
	y, oky := number(b)
	if !okx || !oky {
		fail("%s %s %s", kind(a), op, kind(b))
	}
	_, fa := a.(float64)
	_, fb := b.(float64)
	if fa || fb || op == "/" {
		return floats(op, x, y)
	}
	return integers(op, integer(a), integer(b))
}

// signed is the unary operators.
func (r *run) signed(op string, v any) any {
	if f, ok := v.(float64); ok && op == "-" {
		return -f // 0 - f would lose the sign of zero
	}
	return r.arithmetic(op, int64(0), v)
}

func floats(op string, x, y float64) any {
	if y == 0 && (op == "/" || op == "//" || op == "%") {
		fail("division by zero")
	}
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		return x / y
	case "//":
		return math.Floor(x / y)
	case "%":
		m := math.Mod(x, y)
		if m != 0 && (m < 0) != (y < 0) {
			m += y
		}
		return m
	}
	return math.Pow(x, y)
}

// integers differs from Python in that what exceeds 64 bits is an error.
func integers(op string, x, y int64) any {
	over := func(bad bool) {
		if bad {
			fail("%d %s %d: more than 64 bits", x, op, y)
		}
	}
	switch op {
	case "+":
		z := x + y
		over((z > x) != (y > 0) && y != 0)
		return z
	case "-":
		z := x - y
		over((z < x) != (y > 0) && y != 0)
		return z
	case "*":
		z := x * y
		over(x != 0 && (z/x != y || x == -1 && y == math.MinInt64))
		return z
	case "//", "%":
		if y == 0 {
			fail("division by zero")
		}
		over(x == math.MinInt64 && y == -1)
		q, m := x/y, x%y
		if m != 0 && (m < 0) != (y < 0) {
			q, m = q-1, m+y
		}
		if op == "%" {
			return m
		}
		return q
	}
	if y < 0 {
		return math.Pow(float64(x), float64(y))
	}
	p := math.Pow(float64(x), float64(y))
	over(math.Abs(p) >= 1<<62)
	z := int64(1)
	for range min(y, 64) { // of larger powers only those of 0, 1 and -1 fit
		z *= x
	}
	if x == -1 && y%2 == 1 {
		z = -1
	}
	return z
}

func (r *run) repeat(s string, n any) any {
	k := integer(n)
	r.times(len(s), k)
	return strings.Repeat(s, int(max(k, 0)))
}

// times charges n times a size.
func (r *run) times(size int, n int64) {
	if n <= 0 {
		return
	}
	if n > int64(r.bytes) || int64(size) > int64(r.bytes)/n {
		r.charge(-1)
	}
	r.charge(size * int(n))
	r.charge(int(n))
}

// percent formats as Python's % does: %s, %d, %f, %x, %% without widths, but for
// the number of digits of %f.
func (r *run) percent(format string, v any) any {
	vals := []any{v}
	if l, ok := v.(*List); ok && l.tuple {
		vals = l.items
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c != '%' {
			b.WriteByte(c)
			continue
		}
		n := i + 1
		for n < len(format) && strings.IndexByte(".0123456789", format[n]) >= 0 {
			n++
		}
		if n >= len(format) || n > i+8 {
			fail("format %q", format)
		}
		flags, verb := format[i+1:n], format[n]
		i = n
		if verb == '%' {
			b.WriteByte('%')
			continue
		}
		if len(vals) == 0 {
			fail("format %q: too few values", format)
		}
		v, vals = vals[0], vals[1:]
		if strings.Trim(flags, ".0123456789") != "" || len(flags) > 4 {
			fail("format %q", format)
		}
		switch verb {
		case 's', 'r':
			if s, ok := v.(string); ok && verb == 'r' {
				quote(&b, s)
			} else {
				b.WriteString(fmt.Sprintf("%"+flags+"s", r.str(v)))
			}
		case 'd', 'i', 'x':
			f, ok := number(v)
			if !ok {
				fail("format %%%c: want a number, found %s", verb, kind(v))
			}
			if verb == 'i' {
				verb = 'd'
			}
			b.WriteString(fmt.Sprintf("%"+flags+string(verb), int64(f)))
		case 'f':
			f, ok := number(v)
			if !ok {
				fail("format %%f: want a number, found %s", kind(v))
			}
			b.WriteString(fmt.Sprintf("%"+flags+"f", f))
		default:
			fail("format %q", format)
		}
	}
	r.charge(b.Len())
	return b.String()
}
