package grammar

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// FromSchema makes a grammar of the JSON texts that follow a JSON Schema. Of it are
// understood: type, properties, required, additionalProperties, items, prefixItems,
// minItems, maxItems, enum, const, anyOf, oneOf whose branches exclude each other,
// allOf of one branch, $ref into the schema, minLength, maxLength, pattern, format
// (date, time, date-time, duration, uuid, ipv4, hostname, email), minimum, maximum,
// exclusiveMinimum, exclusiveMaximum; titles and other annotations are passed over.
// Everything else is an error that wraps ErrSchema and says where.
//
// Every text that the grammar allows follows the schema, but not the other way
// round: properties come in the schema's order, without others unless
// additionalProperties allows them; bounds are rounded to whole numbers;
// and see the rules of JSON in json.go.
func FromSchema(schema []byte) (*Grammar, error) {
	root, err := decodeJSON(schema)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	c := &compiler{root: root, rules: common()}
	for name := range c.rules {
		c.order = append(c.order, name)
	}
	slices.Sort(c.order)
	e, err := c.schema(root, "#")
	if err != nil {
		return nil, err
	}
	c.rule("root", e)
	g, err := compile(c.rules, c.order)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	return g, nil
}

type compiler struct {
	root  *value
	rules map[string]expr
	order []string
	depth int
	pairs int // compared by exclusive
}

func (c *compiler) rule(name string, e expr) ref {
	c.rules[name] = e
	c.order = append(c.order, name)
	return ref(name)
}

// node is a schema that is an object, and where it lies.
type node struct {
	*object
	path string
}

func (n node) fail(format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrSchema, n.path, fmt.Sprintf(format, args...))
}

var annotations = []string{"title", "description", "default", "examples", "example", "$schema", "$id", "$comment", "$anchor", "$defs", "definitions",
	"deprecated", "readOnly", "writeOnly", "strict"}

// only fails if there are keywords but these and annotations.
func (n node) only(keywords ...string) error {
	for _, k := range n.keys {
		if !slices.Contains(annotations, k) && !slices.Contains(keywords, k) {
			return n.fail("keyword %s is not supported here", k)
		}
	}
	return nil
}

func (c *compiler) schema(v *value, path string) (expr, error) {
	if c.depth++; c.depth > 300 {
		return nil, fmt.Errorf("%w: %s: nested too deeply", ErrSchema, path)
	}
	defer func() { c.depth-- }()
	switch x := v.v.(type) {
	case bool:
		if !x {
			return nil, fmt.Errorf("%w: %s: false allows nothing", ErrSchema, path)
		}
		return ref("value"), nil
	case *object:
		return c.object(node{x, path})
	}
	return nil, fmt.Errorf("%w: %s: want an object or a boolean", ErrSchema, path)
}

func (c *compiler) object(n node) (expr, error) {
	if v, ok := n.get("$ref"); ok {
		return c.ref(n, v)
	}
	if v, ok := n.get("const"); ok {
		return c.enum(n, "const", []*value{v})
	}
	if v, ok := n.get("enum"); ok {
		list, isList := v.v.([]*value)
		if !isList {
			return nil, n.fail("enum: want a list")
		}
		return c.enum(n, "enum", list)
	}
	for _, k := range []string{"anyOf", "oneOf", "allOf"} {
		if v, ok := n.get(k); ok {
			return c.branches(n, k, v)
		}
	}
	types, err := n.types()
	if err != nil {
		return nil, err
	}
	if types == nil {
		if err := n.only(); err != nil {
			return nil, err
		}
		return ref("value"), nil
	}
	var list alt
	for _, t := range types {
		e, err := c.typed(n, t)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

// keywords are those that each type knows.
var keywords = map[string][]string{
	"object":  {"properties", "required", "additionalProperties"},
	"array":   {"items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"},
	"string":  {"minLength", "maxLength", "pattern", "format"},
	"number":  {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
	"integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
	"boolean": {},
	"null":    {},
}

// types returns the types that a schema names, or that its keywords are about:
// nil for any.
func (n node) types() ([]string, error) {
	if v, ok := n.get("type"); ok {
		list, isList := v.v.([]*value)
		if !isList {
			list = []*value{v}
		}
		var types []string
		known := []string{"type"}
		for _, v := range list {
			t, _ := v.v.(string)
			k, ok := keywords[t]
			if !ok {
				return nil, n.fail("type: want one of JSON's, found %v", v.v)
			}
			types, known = append(types, t), append(known, k...)
		}
		if len(types) == 0 {
			return nil, n.fail("type: the list is empty")
		}
		return types, n.only(known...)
	}
	for _, t := range []string{"object", "array", "string", "number"} {
		for _, k := range keywords[t] {
			if _, ok := n.get(k); ok {
				return []string{t}, n.only(keywords[t]...)
			}
		}
	}
	return nil, nil
}

func (c *compiler) typed(n node, t string) (expr, error) {
	switch t {
	case "object":
		return c.properties(n)
	case "array":
		return c.items(n)
	case "string":
		return c.str(n)
	case "number", "integer":
		return c.number(n, t == "integer")
	}
	return ref(t), nil
}

// ref compiles what a reference points to, once.
func (c *compiler) ref(n node, v *value) (expr, error) {
	if err := n.only("$ref"); err != nil {
		return nil, err
	}
	to, ok := v.v.(string)
	if !ok || to != "#" && !strings.HasPrefix(to, "#/") {
		return nil, n.fail("$ref: want a place in this schema, found %v", v.v)
	}
	name := "ref " + to
	if _, ok := c.rules[name]; ok {
		return ref(name), nil
	}
	c.rules[name] = seq{} // so that a reference to itself ends
	target, err := c.resolve(to)
	if err != nil {
		return nil, n.fail("$ref: %v", err)
	}
	e, err := c.schema(target, to)
	if err != nil {
		return nil, err
	}
	return c.rule(name, e), nil
}

// resolve follows a JSON pointer.
func (c *compiler) resolve(to string) (*value, error) {
	at := c.root
	for _, k := range strings.Split(to, "/")[1:] {
		k = strings.ReplaceAll(strings.ReplaceAll(k, "~1", "/"), "~0", "~")
		switch x := at.v.(type) {
		case *object:
			v, ok := x.get(k)
			if !ok {
				return nil, fmt.Errorf("nothing at %s", to)
			}
			at = v
		case []*value:
			i, err := strconv.Atoi(k)
			if err != nil || i < 0 || i >= len(x) {
				return nil, fmt.Errorf("nothing at %s", to)
			}
			at = x[i]
		default:
			return nil, fmt.Errorf("nothing at %s", to)
		}
	}
	return at, nil
}

func (c *compiler) enum(n node, keyword string, list []*value) (expr, error) {
	if err := n.only(keyword, "type"); err != nil {
		return nil, err
	}
	types, err := node{&object{keys: []string{"type"}, vals: n.vals, at: n.at}, n.path}.types()
	if err != nil {
		return nil, err
	}
	var out alt
	var texts []string
	for _, v := range list {
		if types != nil && !slices.ContainsFunc(types, v.is) {
			continue
		}
		if s, ok := v.v.(string); ok {
			texts = append(texts, string(quoted(s)))
		} else {
			out = append(out, v.text())
		}
	}
	if len(texts) > 0 {
		out = append(out, oneOf(texts))
	}
	if len(out) == 0 {
		return nil, n.fail("%s: no value is left", keyword)
	}
	return out, nil
}

// is reports whether v is of a type.
func (v *value) is(t string) bool {
	switch x := v.v.(type) {
	case *object:
		return t == "object"
	case []*value:
		return t == "array"
	case string:
		return t == "string"
	case bool:
		return t == "boolean"
	case json.Number:
		return t == "number" || t == "integer" && !strings.ContainsAny(x.String(), ".eE")
	}
	return t == "null"
}

func (c *compiler) branches(n node, keyword string, v *value) (expr, error) {
	if err := n.only(keyword); err != nil {
		return nil, err
	}
	list, ok := v.v.([]*value)
	if !ok || len(list) == 0 {
		return nil, n.fail("%s: want a list of schemas", keyword)
	}
	if keyword == "allOf" && len(list) > 1 {
		return nil, n.fail("allOf of more than one schema")
	}
	var out alt
	for i, b := range list {
		if keyword == "oneOf" {
			for j := range i {
				if !c.exclusive(list[j], b, 0) {
					return nil, n.fail("oneOf: branches %d and %d may both hold; use anyOf, or a required constant", j, i)
				}
			}
		}
		e, err := c.schema(b, fmt.Sprintf("%s/%s/%d", n.path, keyword, i))
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// exclusive reports whether no value follows both schemas, as far as types,
// constants, and constants of required properties tell, and a look at a limited
// number of these.
func (c *compiler) exclusive(a, b *value, depth int) bool {
	x, okx := c.target(a)
	y, oky := c.target(b)
	if c.pairs++; !okx || !oky || depth > 8 || c.pairs > 1<<16 {
		return false
	}
	if s, t := x.constants(), y.constants(); s != nil && t != nil {
		return !slices.ContainsFunc(s, func(v string) bool { return slices.Contains(t, v) })
	}
	s, t := x.kinds(), y.kinds()
	if s == nil || t == nil {
		return false
	}
	both := false
	for _, k := range s {
		both = both || slices.Contains(t, k) || k == "integer" && slices.Contains(t, "number") || k == "number" && slices.Contains(t, "integer")
	}
	if !both {
		return true
	}
	if len(s) > 1 || len(t) > 1 || s[0] != "object" {
		return false
	}
	for _, k := range x.required() {
		p, okp := x.property(k)
		q, okq := y.property(k)
		if okp && okq && slices.Contains(y.required(), k) && c.exclusive(p, q, depth+1) {
			return true
		}
	}
	return false
}

// target follows references.
func (c *compiler) target(v *value) (node, bool) {
	for range 16 {
		o, ok := v.v.(*object)
		if !ok {
			return node{}, false
		}
		r, ok := o.get("$ref")
		if !ok {
			return node{o, ""}, true
		}
		to, _ := r.v.(string)
		next, err := c.resolve(to)
		if err != nil {
			return node{}, false
		}
		v = next
	}
	return node{}, false
}

// constants returns the values that a schema lists, as JSON.
func (n node) constants() []string {
	list := []*value{}
	if v, ok := n.get("const"); ok {
		list = append(list, v)
	} else if v, ok := n.get("enum"); ok {
		list, _ = v.v.([]*value)
	}
	var out []string
	for _, v := range list {
		switch v.v.(type) {
		case string, bool, nil:
			out = append(out, fmt.Sprintf("%T %v", v.v, v.v))
		default:
			return nil // numbers have more than one spelling
		}
	}
	return out
}

func (n node) kinds() []string {
	if v, ok := n.get("const"); ok {
		return kindsOf([]*value{v})
	}
	if v, ok := n.get("enum"); ok {
		list, _ := v.v.([]*value)
		return kindsOf(list)
	}
	types, err := n.types()
	if err != nil {
		return nil
	}
	return types
}

func kindsOf(list []*value) (kinds []string) {
	for _, v := range list {
		for t := range keywords {
			if v.is(t) && !slices.Contains(kinds, t) {
				kinds = append(kinds, t)
			}
		}
	}
	return kinds
}

func (n node) required() (list []string) {
	v, _ := n.get("required")
	if v == nil {
		return nil
	}
	items, _ := v.v.([]*value)
	for _, v := range items {
		if s, ok := v.v.(string); ok {
			list = append(list, s)
		}
	}
	return list
}

func (n node) property(name string) (*value, bool) {
	if v, ok := n.get("properties"); ok {
		if o, ok := v.v.(*object); ok {
			return o.get(name)
		}
	}
	return nil, false
}
