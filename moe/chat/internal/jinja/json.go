package jinja

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf16"
)

// FromJSON decodes a JSON value, objects in their order.
func FromJSON(data []byte) (v any, err error) {
	defer func() {
		if e := caught(recover()); e != nil {
			v, err = nil, e
		}
	}()
	if !json.Valid(data) {
		return nil, fmt.Errorf("jinja: not valid JSON: %.40q", data)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return decode(d, 0), nil
}

func decode(d *json.Decoder, depth int) any {
	if depth > maxNest {
		fail("%w: JSON nested too deeply", ErrLimit)
	}
	t, err := d.Token()
	if err != nil {
		fail("JSON: %w", err)
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			l := &List{}
			for d.More() {
				l.items = append(l.items, decode(d, depth+1))
			}
			d.Token()
			return l
		}
		o := NewDict()
		for d.More() {
			k, err := d.Token()
			if err != nil {
				fail("JSON: %w", err)
			}
			o.put(k.(string), decode(d, depth+1))
		}
		d.Token()
		return o
	case json.Number:
		if !strings.ContainsAny(t.String(), ".eE") {
			if i, err := t.Int64(); err == nil {
				return i
			}
		}
		f, err := t.Float64()
		if err != nil {
			fail("JSON: %w", err)
		}
		return f
	}
	return t
}

// jsonStyle is how tojson writes.
type jsonStyle struct {
	indent      string // "" for one line
	item, colon string // separators
	ascii, sort bool
}

// toJSON writes v as Python's json.dumps does.
func (r *run) toJSON(v any, a args) string {
	st := jsonStyle{item: ", ", colon: ": ", ascii: truth(a.arg(0, "ensure_ascii", false)), sort: truth(a.arg(3, "sort_keys", false))}
	switch n := a.arg(1, "indent", nil).(type) {
	case nil:
	case string:
		st.indent, st.item = n, ","
	default:
		st.indent, st.item = strings.Repeat(" ", int(min(max(integer(n), 0), 64))), ","
		if st.indent == "" { // json.dumps breaks lines for indent=0 too
			st.indent = "\x00"
		}
	}
	if s, ok := a.arg(2, "separators", nil).(*List); ok && len(s.items) == 2 {
		st.item, st.colon = text(s.items[0], "separators"), text(s.items[1], "separators")
	}
	var b strings.Builder
	r.json(&b, v, st, "\n")
	return b.String()
}

func (r *run) json(b *strings.Builder, v any, st jsonStyle, line string) {
	r.step()
	r.enter()
	defer r.leave()
	n := b.Len()
	inner := line + strings.TrimPrefix(st.indent, "\x00")
	br := func(s string) {
		if st.indent != "" {
			b.WriteString(s)
		}
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		fmt.Fprint(b, v)
	case int64:
		fmt.Fprint(b, v)
	case float64:
		switch {
		case math.IsNaN(v):
			b.WriteString("NaN")
		case math.IsInf(v, 0):
			b.WriteString(strings.Replace(formatFloat(v), "inf", "Infinity", 1))
		default:
			b.WriteString(formatFloat(v))
		}
	case string:
		jsonString(b, v, st.ascii)
	case *List:
		if len(v.items) == 0 {
			b.WriteString("[]")
			break
		}
		b.WriteByte('[')
		for i, x := range v.items {
			if i > 0 {
				b.WriteString(st.item)
			}
			br(inner)
			r.json(b, x, st, inner)
		}
		br(line)
		b.WriteByte(']')
	case *Dict:
		if len(v.keys) == 0 {
			b.WriteString("{}")
			break
		}
		if v.object {
			fail("%s cannot be written as JSON", v.name)
		}
		order := indexes(len(v.keys))
		if st.sort {
			r.sort(order, func(i int) any { return v.keys[i] }, false)
		}
		b.WriteByte('{')
		for n, i := range order {
			if n > 0 {
				b.WriteString(st.item)
			}
			br(inner)
			k := v.keys[i]
			if s, ok := k.(string); ok {
				jsonString(b, s, st.ascii)
			} else {
				b.WriteByte('"')
				r.json(b, k, st, "")
				b.WriteByte('"')
			}
			b.WriteString(st.colon)
			r.json(b, v.vals[i], st, inner)
		}
		br(line)
		b.WriteByte('}')
	default:
		fail("%s cannot be written as JSON", kind(v))
	}
	r.charge(b.Len() - n)
}

func jsonString(b *strings.Builder, s string, ascii bool) {
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\b':
			b.WriteString(`\b`)
		case c == '\f':
			b.WriteString(`\f`)
		case c < ' ' || ascii && c >= 0x7f && c < 0x10000:
			fmt.Fprintf(b, `\u%04x`, c)
		case ascii && c >= 0x10000:
			hi, lo := utf16.EncodeRune(c)
			fmt.Fprintf(b, `\u%04x\u%04x`, hi, lo)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
}
