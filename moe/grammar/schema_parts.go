package grammar

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// properties compiles an object: its properties in order, those not required also
// left out, and then others.
func (c *compiler) properties(n node) (expr, error) {
	props := &object{at: map[string]int{}}
	if v, ok := n.get("properties"); ok {
		if props, ok = v.v.(*object); !ok {
			return nil, n.fail("properties: want an object")
		}
	}
	if v, ok := n.get("required"); ok {
		if list, ok := v.v.([]*value); !ok || len(list) != len(n.required()) {
			return nil, n.fail("required: want a list of names")
		}
	}
	more, err := c.others(n, len(props.keys) == 0)
	if err != nil {
		return nil, err
	}
	required := n.required()
	type property struct {
		pair     expr
		required bool
	}
	var list []property
	for i, k := range props.keys {
		e, err := c.schema(props.vals[i], n.path+"/properties/"+k)
		if err != nil {
			return nil, err
		}
		list = append(list, property{seq{quoted(k), colon(), e}, slices.Contains(required, k)})
	}
	keys := slices.Clone(props.keys)
	for _, k := range required {
		if slices.Contains(keys, k) {
			continue
		}
		if more == nil {
			return nil, n.fail("required: %s is no property, and others are not allowed", k)
		}
		keys = append(keys, k)
		list = append(list, property{seq{quoted(k), colon(), more}, true})
	}

	// after[i] and first[i] are what may come from property i on, with others before
	// it or none.
	after, first := expr(seq{}), expr(seq{})
	if more != nil {
		pair := seq{otherKey(keys), colon(), more}
		after = repeat{seq{comma(), pair}, 0, -1}
		first = optional(seq{pair, after})
	}
	name := func(i int, which string) string { return fmt.Sprintf("%s %s %d of %d", n.path, which, i, len(c.order)) }
	for i := len(list) - 1; i >= 0; i-- {
		p := list[i]
		rest := c.rule(name(i, "after"), after)
		with, begin := seq{comma(), p.pair, rest}, seq{p.pair, rest}
		if p.required {
			after, first = with, begin
		} else {
			after, first = alt{with, rest}, alt{begin, c.rule(name(i, "first"), first)}
		}
	}
	return between("{", first, "}"), nil
}

// others compiles additionalProperties: nil if there may be none, which is also
// what stands for nothing said where properties are named.
func (c *compiler) others(n node, free bool) (expr, error) {
	v, ok := n.get("additionalProperties")
	if !ok && free {
		return ref("value"), nil
	}
	if !ok || v.v == false {
		return nil, nil
	}
	return c.schema(v, n.path+"/additionalProperties")
}

// items compiles an array. Items with schemas of their own are always there.
func (c *compiler) items(n node) (expr, error) {
	if v, ok := n.get("uniqueItems"); ok && v.v != false {
		return nil, n.fail("uniqueItems is not supported")
	}
	least, most, err := n.bounds("minItems", "maxItems")
	if err != nil {
		return nil, err
	}
	var prefix []*value
	rest, restPath := &value{true}, n.path+"/items"
	v, ok := n.get("items")
	if list, isList := listOf(v); ok && isList { // before 2020 this was the name of prefixItems
		prefix = list
		if a, ok := n.get("additionalItems"); ok {
			rest, restPath = a, n.path+"/additionalItems"
		}
	} else {
		if _, ok := n.get("additionalItems"); ok {
			return nil, n.fail("additionalItems without a list of items")
		}
		if ok {
			rest = v
		}
		if p, ok := n.get("prefixItems"); ok {
			if prefix, ok = listOf(p); !ok {
				return nil, n.fail("prefixItems: want a list")
			}
		}
	}
	if most >= 0 && most < len(prefix) {
		return nil, n.fail("maxItems: want at least the %d items that have schemas, found %d", len(prefix), most)
	}
	var all seq
	for i, p := range prefix {
		e, err := c.schema(p, fmt.Sprintf("%s/prefixItems/%d", n.path, i))
		if err != nil {
			return nil, err
		}
		if i > 0 {
			all = append(all, comma())
		}
		all = append(all, e)
	}
	least = max(0, least-len(prefix))
	if most >= 0 {
		most -= len(prefix)
	}
	if rest.v == false || most == 0 {
		if least > 0 {
			return nil, n.fail("minItems: more than there may be")
		}
		return between("[", all, "]"), nil
	}
	e, err := c.schema(rest, restPath)
	if err != nil {
		return nil, err
	}
	if len(prefix) == 0 {
		return between("[", list(e, least, most), "]"), nil
	}
	all = append(all, repeat{seq{comma(), e}, least, most})
	return between("[", all, "]"), nil
}

func listOf(v *value) ([]*value, bool) {
	if v == nil {
		return nil, false
	}
	l, ok := v.v.([]*value)
	return l, ok
}

// bounds reads a pair of keywords that are counts; most is -1 for none.
func (n node) bounds(min, max string) (least, most int, err error) {
	most = -1
	for _, b := range []struct {
		key string
		to  *int
	}{{min, &least}, {max, &most}} {
		v, ok := n.get(b.key)
		if !ok {
			continue
		}
		num, _ := v.v.(json.Number)
		f, err := num.Float64()
		if err != nil || f != math.Trunc(f) || f < 0 || f > maxStates {
			return 0, 0, n.fail("%s: want a number from 0 to %d, found %v", b.key, maxStates, v.v)
		}
		*b.to = int(f)
	}
	if most >= 0 && most < least {
		return 0, 0, n.fail("%s %d is less than %s %d", max, most, min, least)
	}
	return least, most, nil
}

// formats are what strings of a format look like: no more than the format allows.
var formats = map[string]string{
	"date":      datePattern,
	"time":      timePattern,
	"date-time": datePattern + "T" + timePattern,
	"duration":  `P([0-9]{1,4}D(T[0-9]{1,2}H)?|T[0-9]{1,2}H([0-9]{1,2}M([0-9]{1,2}S)?)?|[0-9]{1,3}W)`,
	"uuid":      `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`,
	"ipv4":      `(` + octetPattern + `\.){3}` + octetPattern,
	"hostname":  hostPattern,
	"email":     `[a-zA-Z0-9_+-]{1,30}(\.[a-zA-Z0-9_+-]{1,16}){0,2}@` + hostPattern,
}

const (
	datePattern  = `[0-9]{3}[1-9]-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)`
	timePattern  = `([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])`
	octetPattern = `([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])`
	hostPattern  = `[a-z0-9]([a-z0-9]{0,14}[a-z0-9])?(\.[a-z0-9]([a-z0-9]{0,14}[a-z0-9])?){1,3}`
)

func (c *compiler) str(n node) (expr, error) {
	least, most, err := n.bounds("minLength", "maxLength")
	if err != nil {
		return nil, err
	}
	pattern, source := "", ""
	if v, ok := n.get("format"); ok {
		f, _ := v.v.(string)
		p, known := formats[f]
		if !known {
			return nil, n.fail("format %v is not supported", v.v)
		}
		pattern, source = "^("+p+")$", "format"
	}
	if v, ok := n.get("pattern"); ok {
		s, isString := v.v.(string)
		if !isString {
			return nil, n.fail("pattern: want a string")
		}
		if source != "" {
			return nil, n.fail("pattern together with format")
		}
		pattern, source = s, "pattern"
	}
	switch {
	case source == "" && least == 0 && most < 0:
		return ref("string"), nil
	case source == "":
		return seq{literal(`"`), repeat{ref("char"), least, most}, literal(`"`)}, nil
	case least > 0 || most >= 0:
		return nil, n.fail("%s together with minLength or maxLength", source)
	}
	e, err := fromPattern(pattern)
	if err != nil {
		return nil, n.fail("%s: %v", source, err)
	}
	return seq{literal(`"`), e, literal(`"`)}, nil
}

const most15 = 999_999_999_999_999 // what 15 digits hold, as in json.go

// number compiles a number with bounds, which for numbers without a fraction are
// brought to whole ones.
func (c *compiler) number(n node, whole bool) (expr, error) {
	if v, ok := n.get("multipleOf"); ok {
		if num, _ := v.v.(json.Number); !whole || num != "1" {
			return nil, n.fail("multipleOf is not supported")
		}
	}
	lo, hi := float64(-most15), float64(most15) // of whole numbers
	below, above := hi, lo                      // numbers with a fraction lie between two whole ones, up to below and from above
	bounded := false
	for _, k := range keywords["number"][:4] {
		v, ok := n.get(k)
		if !ok {
			continue
		}
		num, isNumber := v.v.(json.Number)
		f, err := num.Float64()
		if !isNumber || err != nil {
			return nil, n.fail("%s: want a number, found %v", k, v.v)
		}
		bounded = true
		near := 0.0 // a long fraction next to a large bound is rounded to it
		if math.Abs(f) > 1e6 {
			near = 1
		}
		switch k {
		case "minimum":
			lo, above = max(lo, math.Ceil(f)), max(above, math.Ceil(f))
		case "exclusiveMinimum":
			lo, above = max(lo, math.Floor(f)+1), max(above, math.Ceil(f)+near)
		case "maximum":
			hi, below = min(hi, math.Floor(f)), min(below, math.Floor(f))
		case "exclusiveMaximum":
			hi, below = min(hi, math.Ceil(f)-1), min(below, math.Floor(f)-near)
		}
	}
	if !bounded {
		if whole {
			return ref("integer"), nil
		}
		return ref("number"), nil
	}
	var e alt
	if lo <= hi {
		e = integers(int64(lo), int64(hi))
	}
	if !whole {
		short := seq{literal("."), repeat{digit, 0, 5}, class{{'1', '9'}}} // not .0, which might be the bound
		if from, to := max(above, 0), below-1; from <= to {
			e = append(e, seq{naturals(int64(from), int64(to)), short})
		}
		if from, to := max(-below, 0), -above-1; from <= to {
			e = append(e, seq{literal("-"), naturals(int64(from), int64(to)), short})
		}
	}
	if len(e) == 0 {
		return nil, n.fail("no number that can be written is within the bounds")
	}
	return e, nil
}

// integers is the numbers from lo to hi, without a sign for 0.
func integers(lo, hi int64) alt {
	var out alt
	if lo < 0 {
		out = append(out, seq{literal("-"), naturals(max(1, -hi), -lo)})
	}
	if hi >= 0 {
		out = append(out, naturals(max(0, lo), hi))
	}
	return out
}

// naturals is the numbers from lo to hi, by their number of digits.
func naturals(lo, hi int64) expr {
	var out alt
	for lo <= hi {
		a := strconv.FormatInt(lo, 10)
		most := int64(math.Pow10(len(a))) - 1
		out = append(out, digits(a, strconv.FormatInt(min(hi, most), 10)))
		lo = most + 1
	}
	return out
}

// digits is the numbers from a to b, which have as many digits.
func digits(a, b string) expr {
	if a == "" {
		return seq{}
	}
	one := func(x byte, rest expr) expr { return seq{literal(string(rune(x))), rest} }
	if a[0] == b[0] {
		return one(a[0], digits(a[1:], b[1:]))
	}
	n := len(a) - 1
	if strings.Trim(a, "0") == "" && strings.Trim(b, "9") == "" {
		return repeat{digit, n + 1, n + 1}
	}
	out := alt{one(a[0], digits(a[1:], strings.Repeat("9", n))), one(b[0], digits(strings.Repeat("0", n), b[1:]))}
	if a[0]+1 < b[0] {
		out = append(out, seq{class{{rune(a[0] + 1), rune(b[0] - 1)}}, repeat{digit, n, n}})
	}
	return out
}
