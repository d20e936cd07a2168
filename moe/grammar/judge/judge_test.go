package judge

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/coterie-go/coterie/moe/grammar"
	"github.com/coterie-go/coterie/moe/moetest"
	"github.com/coterie-go/coterie/moe/tokenizer"
)

type object = map[string]any

// pick returns one of the choices.
func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

// schema makes a schema of those that are supported, nested to a depth.
func schema(r *rand.Rand, depth int) any {
	kinds := []func(*rand.Rand, int) object{scalar, number, number, str, str, str}
	if depth > 0 {
		kinds = append(kinds, properties, properties, list, tuple, branches)
	}
	return pick(r, kinds...)(r, depth-1)
}

func scalar(r *rand.Rand, _ int) object {
	return pick(r, object{"type": "null"}, object{"type": "boolean"}, object{"const": "x\"y"},
		object{"enum": []any{"a", 1, nil, true, []any{1, object{"b": "c d"}}, -2.5}[r.IntN(4):]})
}

func number(r *rand.Rand, _ int) object {
	bound := func() float64 { return math.Round((r.Float64()*4-2)*math.Pow(10, float64(r.IntN(5)))*4) / 4 }
	s := object{"type": pick(r, "integer", "number")}
	lo, hi := bound(), bound()
	if lo > hi {
		lo, hi = hi, lo
	}
	if r.IntN(2) == 0 {
		s[pick(r, "minimum", "exclusiveMinimum")] = lo
	}
	if r.IntN(2) == 0 {
		s[pick(r, "maximum", "exclusiveMaximum")] = hi + 3
	}
	return s
}

func str(r *rand.Rand, _ int) object {
	s := object{"type": "string"}
	switch r.IntN(3) {
	case 0:
		s["pattern"] = pick(r, "^a+b*$", "x", "^[^a-y]{2}", "(foo|bar)$", "^\\w+@\\d{2,3}$", "^(a|b\\.c)?[\"\\\\]$", "^.$", "\\s")
	case 1:
		s["format"] = pick(r, "date", "time", "date-time", "uuid", "ipv4", "email", "hostname", "duration")
	default:
		n := r.IntN(5)
		if r.IntN(2) == 0 {
			s["minLength"] = n
		}
		if r.IntN(2) == 0 {
			s["maxLength"] = n + r.IntN(5)
		}
	}
	return s
}

func properties(r *rand.Rand, depth int) object {
	props, required := object{}, []string{}
	for _, name := range []string{"a", "ab", "abc", "b c", "é\""}[r.IntN(5):] {
		props[name] = schema(r, depth)
		if r.IntN(2) == 0 {
			required = append(required, name)
		}
	}
	s := object{"type": "object", "properties": props, "required": required}
	switch r.IntN(4) {
	case 0:
		s["additionalProperties"] = r.IntN(2) == 0
	case 1:
		s["additionalProperties"] = schema(r, depth)
	}
	return s
}

func list(r *rand.Rand, depth int) object {
	s, n := object{"type": "array", "items": schema(r, depth)}, r.IntN(3)
	if r.IntN(2) == 0 {
		s["minItems"] = n
	}
	if r.IntN(2) == 0 {
		s["maxItems"] = n + r.IntN(3)
	}
	return s
}

func tuple(r *rand.Rand, depth int) object {
	s := object{"type": "array", "prefixItems": []any{schema(r, depth), schema(r, depth)}}
	switch r.IntN(3) {
	case 0:
		s["items"] = false
	case 1:
		s["items"] = schema(r, depth)
		s["minItems"] = r.IntN(4)
	}
	return s
}

func branches(r *rand.Rand, depth int) object {
	return object{pick(r, "anyOf", "oneOf"): []any{schema(r, depth), schema(r, depth)}}
}

// write writes a text of random tokens, all that are allowed equally likely.
func write(t *testing.T, tok *tokenizer.Tokenizer, c *grammar.Constraint, r *rand.Rand, limit int, early bool) string {
	var ids []int32
	text := ""
	logits := make([]float32, tok.VocabSize())
	for len(ids) < limit {
		clear(logits)
		if err := c.Hook(ids, logits); err != nil {
			t.Fatal(err)
		}
		if early && c.Done() {
			break
		}
		var open []int32
		for id, l := range logits {
			if l == 0 {
				open = append(open, int32(id))
			}
		}
		if len(open) == 0 {
			t.Fatalf("nothing may follow %q", text)
		}
		id := pick(r, open...)
		if tok.EOG(id) {
			break
		}
		p, err := tok.Piece(id)
		if err != nil {
			t.Fatal(err)
		}
		ids, text = append(ids, id), text+string(p)
	}
	return text
}

// Whatever is written under a random schema follows it, by the validator's
// judgement, formats included.
func TestJudge(t *testing.T) {
	m, err := moetest.Tale()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	tok, err := m.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	v := grammar.NewVocabulary(tok)
	schemas, texts := 0, 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		src, err := json.Marshal(schema(r, 3))
		if err != nil {
			t.Fatal(err)
		}
		g, err := grammar.FromSchema(src)
		if err != nil { // chance makes branches that do not exclude each other, and empty bounds
			if !slices.ContainsFunc([]string{"may both hold", "may be", "minItems"}, func(s string) bool { return strings.Contains(err.Error(), s) }) {
				t.Errorf("%v: %s", err, src)
			}
			continue
		}
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("schema.json", doc); err != nil {
			t.Fatal(err)
		}
		judge, err := c.Compile("schema.json")
		if err != nil {
			t.Fatal(err)
		}
		schemas++
		for k := range 5 {
			text := write(t, tok, g.Constrain(v, 300), r, 300, k%2 == 0)
			x, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			if err != nil {
				t.Fatalf("%v: %q for %s", err, text, src)
			}
			if err := judge.Validate(x); err != nil {
				t.Errorf("%v\n%s\nfor %s", err, text, src)
			}
			texts++
		}
	}
	t.Logf("%d texts under %d schemas", texts, schemas)
	if schemas < 300 {
		t.Errorf("%d schemas, want 300 or more", schemas)
	}
}
