package grammar

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/coterie-go/coterie/internal/testkit"
	"github.com/stretchr/testify/require"
)

var schemas = map[string]string{
	"anything":     `{}`,
	"true":         `true`,
	"object":       `{"type": "object"}`,
	"array":        `{"type": "array"}`,
	"string":       `{"type": "string"}`,
	"number":       `{"type": "number"}`,
	"integer":      `{"type": "integer", "description": "annotations are passed over", "default": 3}`,
	"scalars":      `{"type": ["string", "null", "boolean", "integer"]}`,
	"person":       `{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 150}, "email": {"type": "string", "format": "email"}}, "required": ["name", "age"], "additionalProperties": false}`,
	"optional":     `{"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}, "c": {"type": "null"}, "d": {"type": "null"}}, "required": ["c"]}`,
	"all optional": `{"properties": {"a": {"type": "boolean"}, "b": {"type": "boolean"}}}`,
	"others":       `{"type": "object", "properties": {"id": {"type": "integer"}, "idx": {"type": "null"}, "i": {"type": "boolean"}}, "required": ["id"], "additionalProperties": {"type": "string"}}`,
	"undeclared":   `{"type": "object", "required": ["x y"], "additionalProperties": {"type": "integer"}}`,
	"map":          `{"type": "object", "additionalProperties": {"type": "array", "items": {"type": "number"}}}`,
	"odd keys":     `{"type": "object", "properties": {"a\"b\\c\n": {"type": "null"}, "é日": {"type": "null"}, "": {"type": "null"}}, "required": ["a\"b\\c\n", "é日", ""], "additionalProperties": {"type": "integer"}}`,
	"list":         `{"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 5}`,
	"empty list":   `{"type": "array", "maxItems": 0}`,
	"tuple":        `{"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "items": {"type": "null"}, "minItems": 3, "maxItems": 4}`,
	"closed tuple": `{"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "items": false}`,
	"old tuple":    `{"type": "array", "items": [{"type": "string"}, {"type": "boolean"}], "additionalItems": false}`,
	"enum":         `{"enum": ["red", "gr\"een", 3, -1.5, null, true, {"a": [1, {}]}, []]}`,
	"typed enum":   `{"type": "string", "enum": ["red", "green", 3]}`,
	"const":        `{"type": "object", "properties": {"kind": {"const": "circle"}, "r": {"type": "number", "minimum": 0}}, "required": ["kind", "r"]}`,
	"any of":       `{"anyOf": [{"type": "string", "maxLength": 3}, {"type": "array", "items": {"type": "boolean"}}, {"type": "null"}]}`,
	"one of":       `{"oneOf": [{"type": "object", "properties": {"kind": {"const": "circle"}, "r": {"type": "number"}}, "required": ["kind", "r"]}, {"type": "object", "properties": {"kind": {"const": "square"}, "a": {"type": "number"}}, "required": ["kind", "a"]}, {"type": "integer"}]}`,
	"all of":       `{"allOf": [{"type": "integer", "minimum": 3}]}`,
	"short":        `{"type": "string", "minLength": 2, "maxLength": 4}`,
	"long":         `{"type": "string", "minLength": 30}`,
	"pattern":      `{"type": "string", "pattern": "^[A-Z]{2,3}-\\d+(\\.[a-f]|\"\\\\)?$"}`,
	"loose":        `{"type": "string", "pattern": "ab|^c.d$"}`,
	"fold":         `{"type": "string", "pattern": "^(?i:kx)+[^a-z]\\s\\w$"}`,
	"date":         `{"type": "string", "format": "date"}`,
	"date-time":    `{"type": "string", "format": "date-time"}`,
	"time":         `{"type": "string", "format": "time"}`,
	"uuid":         `{"type": "string", "format": "uuid"}`,
	"ipv4":         `{"type": "string", "format": "ipv4"}`,
	"hostname":     `{"type": "string", "format": "hostname"}`,
	"duration":     `{"type": "string", "format": "duration"}`,
	"range":        `{"type": "integer", "minimum": -13, "maximum": 1207}`,
	"exclusive":    `{"type": "integer", "exclusiveMinimum": 9, "exclusiveMaximum": 12}`,
	"negative":     `{"type": "integer", "maximum": -98}`,
	"at least":     `{"type": "integer", "minimum": 995}`,
	"real range":   `{"type": "number", "minimum": -2.5, "exclusiveMaximum": 3}`,
	"real below":   `{"type": "number", "maximum": -7}`,
	"real between": `{"type": "number", "minimum": 0.5, "maximum": 1.5}`,
	"tree":         `{"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}}, "required": ["value", "children"], "additionalProperties": false}}}`,
	"self":         `{"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]}`,
	"mutual":       `{"$ref": "#/definitions/a", "definitions": {"a": {"type": "array", "items": {"$ref": "#/definitions/b"}}, "b": {"type": "object", "properties": {"a/b~c": {"$ref": "#/definitions/a"}}}}}`,
	"order":        `{"type": "object", "properties": {"customer": {"type": "object", "properties": {"name": {"type": "string", "minLength": 1}, "id": {"type": "string", "format": "uuid"}}, "required": ["name", "id"], "additionalProperties": false}, "lines": {"type": "array", "minItems": 1, "items": {"type": "object", "properties": {"sku": {"type": "string", "pattern": "^[A-Z]{3}\\d{4}$"}, "count": {"type": "integer", "minimum": 1, "maximum": 99}, "price": {"type": "number", "minimum": 0}, "tags": {"type": "array", "items": {"enum": ["new", "sale"]}, "maxItems": 2}}, "required": ["sku", "count", "price"], "additionalProperties": false}}, "paid": {"type": "boolean"}}, "required": ["customer", "lines", "paid"], "additionalProperties": false}`,
}

// Whatever tokens chance picks from those allowed, the text is JSON that follows
// the schema, and is whole within the limit. An independent check of the value
// decides. The limit may be as tight as the shortest text. There are 4,000 texts in all, 800 in short mode.
func TestSchemaSamples(t *testing.T) {
	tok, v := testVocabulary(t)
	samples := 4000 / len(schemas)
	if testing.Short() {
		samples /= 5
	}
	total := 0
	for name, src := range schemas {
		t.Run(name, func(t *testing.T) {
			g, err := FromSchema([]byte(src))
			require.NoError(t, err)
			var schema any
			require.NoError(t, json.Unmarshal([]byte(src), &schema))
			for seed := range samples {
				rng := rand.New(rand.NewPCG(uint64(seed), 7))
				limit := int(newMatcher(g).first.least) + 2 + rng.IntN(250)
				text, n, whole := babble(t, tok, g.Constrain(v, limit), rng, limit)
				require.True(t, whole, "not whole after %d tokens of %d: %s", n, limit, text)
				require.True(t, g.Match(text))
				require.True(t, utf8.ValidString(text))
				var value any
				d := json.NewDecoder(strings.NewReader(text))
				d.UseNumber()
				require.NoError(t, d.Decode(&value), "%s", text)
				require.False(t, d.More())
				require.NoError(t, follows(schema, schema, value), "%s", text)
				total++
			}
		})
	}
	t.Logf("%d texts", total)
}

// follows is a validator of the keywords in use, written after the specification's
// text and without a look at the compiler: it works on values, not on bytes.
func follows(root, schema, v any) error {
	s, ok := schema.(map[string]any)
	if !ok {
		if schema == false {
			return fmt.Errorf("false allows nothing")
		}
		return nil
	}
	if r, ok := s["$ref"].(string); ok {
		at := root
		for _, k := range strings.Split(r, "/")[1:] {
			at = at.(map[string]any)[strings.NewReplacer("~1", "/", "~0", "~").Replace(k)]
		}
		return follows(root, at, v)
	}
	count := func(list any) (n int) {
		for _, b := range list.([]any) {
			if follows(root, b, v) == nil {
				n++
			}
		}
		return n
	}
	if l, ok := s["anyOf"]; ok && count(l) == 0 {
		return fmt.Errorf("anyOf: none holds for %v", v)
	}
	if l, ok := s["oneOf"]; ok && count(l) != 1 {
		return fmt.Errorf("oneOf: %d hold for %v", count(l), v)
	}
	if l, ok := s["allOf"]; ok && count(l) != len(l.([]any)) {
		return fmt.Errorf("allOf: %d hold for %v", count(l), v)
	}
	text := func(x any) string { b, _ := json.Marshal(x); return string(b) }
	if l, ok := s["enum"].([]any); ok && !slices.ContainsFunc(l, func(x any) bool { return text(x) == text(v) }) {
		return fmt.Errorf("enum: %v", v)
	}
	if c, ok := s["const"]; ok && text(c) != text(v) {
		return fmt.Errorf("const: %v", v)
	}
	if t, ok := s["type"]; ok {
		types, isList := t.([]any)
		if !isList {
			types = []any{t}
		}
		if !slices.ContainsFunc(types, func(t any) bool { return hasType(v, t.(string)) }) {
			return fmt.Errorf("type %v: %v", t, v)
		}
	}
	num := func(key string) (float64, bool) { f, ok := s[key].(float64); return f, ok }
	switch v := v.(type) {
	case map[string]any:
		props, _ := s["properties"].(map[string]any)
		req, _ := s["required"].([]any)
		for _, k := range req {
			if _, ok := v[k.(string)]; !ok {
				return fmt.Errorf("required: %v", k)
			}
		}
		for k, x := range v {
			sub, ok := props[k]
			if !ok {
				if sub, ok = s["additionalProperties"]; !ok {
					sub = true
				}
			}
			if err := follows(root, sub, x); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		}
	case []any:
		if n, ok := num("minItems"); ok && len(v) < int(n) {
			return fmt.Errorf("minItems: %d", len(v))
		}
		if n, ok := num("maxItems"); ok && len(v) > int(n) {
			return fmt.Errorf("maxItems: %d", len(v))
		}
		prefix, _ := s["prefixItems"].([]any)
		rest := s["items"]
		if l, ok := rest.([]any); ok {
			prefix, rest = l, s["additionalItems"]
		}
		for i, x := range v {
			sub := rest
			if i < len(prefix) {
				sub = prefix[i]
			}
			if err := follows(root, sub, x); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
	case string:
		if n, ok := num("minLength"); ok && utf8.RuneCountInString(v) < int(n) {
			return fmt.Errorf("minLength: %q", v)
		}
		if n, ok := num("maxLength"); ok && utf8.RuneCountInString(v) > int(n) {
			return fmt.Errorf("maxLength: %q", v)
		}
		if p, ok := s["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(v) {
			return fmt.Errorf("pattern: %q", v)
		}
		if f, ok := s["format"].(string); ok && !hasFormat(v, f) {
			return fmt.Errorf("format %s: %q", f, v)
		}
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return err
		}
		if n, ok := num("minimum"); ok && f < n {
			return fmt.Errorf("minimum: %v", v)
		}
		if n, ok := num("maximum"); ok && f > n {
			return fmt.Errorf("maximum: %v", v)
		}
		if n, ok := num("exclusiveMinimum"); ok && f <= n {
			return fmt.Errorf("exclusiveMinimum: %v", v)
		}
		if n, ok := num("exclusiveMaximum"); ok && f >= n {
			return fmt.Errorf("exclusiveMaximum: %v", v)
		}
	}
	return nil
}

func hasType(v any, t string) bool {
	switch v := v.(type) {
	case map[string]any:
		return t == "object"
	case []any:
		return t == "array"
	case string:
		return t == "string"
	case bool:
		return t == "boolean"
	case json.Number:
		f, _ := v.Float64()
		return t == "number" || t == "integer" && f == math.Trunc(f)
	}
	return t == "null"
}

func hasFormat(s, f string) bool {
	ok := func(_ any, err error) bool { return err == nil }
	switch f {
	case "date":
		return ok(time.Parse("2006-01-02", s))
	case "date-time":
		return ok(time.Parse(time.RFC3339Nano, s))
	case "time":
		return ok(time.Parse("15:04:05.999999999Z07:00", s))
	case "ipv4":
		a, err := netip.ParseAddr(s)
		return err == nil && a.Is4()
	case "uuid":
		return len(s) == 36 && strings.Count(s, "-") == 4
	case "email":
		return strings.Count(s, "@") == 1 && !strings.Contains(s, "..")
	case "hostname":
		return len(s) <= 253 && !strings.HasPrefix(s, "-") && !strings.Contains(s, "..")
	case "duration":
		return strings.HasPrefix(s, "P") && s != "P" && !strings.HasSuffix(s, "T")
	}
	return false
}

// What models write by habit is allowed: compact, with a space behind commas and
// colons, indented.
func TestSchemaMatch(t *testing.T) {
	match := func(schema, text string, want bool) {
		t.Helper()
		g, err := FromSchema([]byte(schema))
		require.NoError(t, err)
		require.Equal(t, want, g.Match(text), "%s for %s", text, schema)
	}
	value := map[string]any{"customer": map[string]any{"name": "Ann é \"q\"", "id": "01234567-89ab-cdef-0123-456789abcdef"}}
	compact, err := json.Marshal(value)
	require.NoError(t, err)
	indented, err := json.MarshalIndent(value, "", "  ")
	require.NoError(t, err)
	schema := `{"type":"object","properties":{"customer":{"type":"object","properties":{"id":{"type":"string","format":"uuid"},"name":{"type":"string"}}}}}`
	for _, s := range []string{string(compact), string(indented), strings.ReplaceAll(string(compact), `":`, `": `)} {
		match(schema, s, true)
		match(`{}`, s, true)
		match(`{"type":"object"}`, s, true)
		match(`{"type":"array"}`, s, false)
		match(`{}`, s+"x", false)
		match(`{}`, s[:len(s)-1], false)
	}
	for i := -20; i <= 1300; i++ {
		match(schemas["range"], fmt.Sprint(i), -13 <= i && i <= 1207)
	}
	for text, want := range map[string]bool{"-2": true, "-2.0": false, "-1.999": true, "2.99": true, "3": false, "3.0": false, "2.0": false, "2.999999": true, "0": true, "0.5": true, "-0.5": true, "2": true, "-2.5": false} {
		match(schemas["real range"], text, want)
	}
	match(schemas["others"], `{"id":1,"idy":"x"}`, true)
	match(schemas["others"], `{"id":1,"ide":"x","i":true}`, false) // a property has its place and type
	match(schemas["others"], `{"id":1,"i":"x"}`, false)
	match(schemas["others"], `{"id":1,"id":"x"}`, false)
	match(schemas["date"], `"2023-02-29"`, false)
	match(schemas["date"], `"2023-02-28"`, true)
	match(schemas["loose"], `"xxabxx"`, true)
	match(schemas["loose"], `"cxd"`, true)
	match(schemas["loose"], `"cxdx"`, false)
	match(schemas["string"], `"\ud83d"`, false) // half a character
	match(schemas["string"], `"\u00e9"`, true)
	match(schemas["string"], "\"\n\"", false)
}

// What is not supported is an error that says where.
func TestSchemaErrors(t *testing.T) {
	for src, say := range map[string]string{
		`{`:                 "not valid JSON",
		`[]`:                "want an object or a boolean",
		`false`:             "allows nothing",
		`{"type": "thing"}`: "type",
		`{"type": []}`:      "empty",
		`{"not": {}}`:       "keyword not",
		`{"type": "object", "properties": {"a": {"type": "array", "uniqueItems": true}}}`: "#/properties/a: uniqueItems",
		`{"type": "string", "minimum": 3}`:                                                "keyword minimum",
		`{"type": "string", "format": "iri"}`:                                             "format iri",
		`{"type": "string", "pattern": "(?=a)"}`:                                          "pattern",
		`{"type": "string", "pattern": "a\\bc"}`:                                          "not supported here",
		`{"type": "string", "pattern": "a", "maxLength": 3}`:                              "together with",
		`{"type": "string", "minLength": 4, "maxLength": 3}`:                              "maxLength 3",
		`{"type": "string", "minLength": -1}`:                                             "minLength",
		`{"type": "string", "minLength": 1e9}`:                                            "minLength",
		`{"type": "integer", "minimum": 4, "maximum": 3}`:                                 "no number",
		`{"type": "number", "multipleOf": 0.1}`:                                           "multipleOf",
		`{"allOf": [{}, {}]}`:                                                             "allOf",
		`{"oneOf": [{"type": "string"}, {"type": ["string", "null"]}]}`:                   "may both hold",
		`{"oneOf": [{"type": "integer"}, {"type": "number"}]}`:                            "may both hold",
		`{"anyOf": []}`:                    "anyOf",
		`{"enum": []}`:                     "no value",
		`{"type": "string", "enum": [1]}`:  "no value",
		`{"$ref": "#/nowhere"}`:            "nothing at",
		`{"$ref": "http://example.org/x"}`: "place in this schema",
		`{"$ref": "#"}`:                    "no finite text",
		`{"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}`:              "no finite text",
		`{"type": "object", "properties": {}, "required": ["a"], "additionalProperties": false}`: "not allowed",
		`{"type": "array", "prefixItems": [{}, {}], "maxItems": 1}`:                              "maxItems",
		`{"a": 1, "a": 2}`: "twice",
		strings.Repeat(`{"items":`, 500) + "{}" + strings.Repeat("}", 500):                        "nested",
		`{"type": "array", "items": {"type": "string", "minLength": 200000}, "minItems": 200000}`: "states",
	} {
		_, err := FromSchema([]byte(src))
		require.ErrorIs(t, err, ErrSchema, src)
		require.ErrorContains(t, err, say, src)
	}
}

func FuzzSchema(f *testing.F) {
	for _, s := range schemas {
		f.Add(s)
	}
	tok, v := testVocabulary(f)
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 4096 {
			return
		}
		start := testkit.CPUTime(t)
		defer func() {
			if d := testkit.CPUTime(t) - start; d > 5*time.Second {
				t.Errorf("%v for %s", d, src)
			}
		}()
		g, err := FromSchema([]byte(src))
		if err != nil {
			return
		}
		text, _, whole := babble(t, tok, g.Constrain(v, 4096), rand.New(rand.NewPCG(1, 2)), 64)
		if whole && !json.Valid([]byte(text)) {
			t.Fatalf("%s for %s", text, src)
		}
	})
}
