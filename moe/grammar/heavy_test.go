package grammar

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type fields = map[string]any

// Schemas of a kind that strangers might send take no more than moments.
func TestHeavy(t *testing.T) {
	tok, v := testVocabulary(t)
	objects := func(name string) fields {
		props, required := fields{}, []string{}
		for i := range 12 {
			required = append(required, fmt.Sprint(i))
			props[fmt.Sprint(i)] = fields{"$ref": "#/$defs/" + name}
		}
		return fields{"type": "object", "properties": props, "required": required}
	}
	optional, values := fields{}, []string{}
	for i := range 3000 {
		optional[fmt.Sprint("k", i)] = true
	}
	for i := range 20000 {
		values = append(values, fmt.Sprint("value ", 7919*i))
	}
	for name, schema := range map[string]fields{
		"comparisons": {"oneOf": []any{fields{"$ref": "#/$defs/a"}, fields{"$ref": "#/$defs/b"}}, "$defs": fields{"a": objects("a"), "b": objects("b")}},
		"optional":    {"type": "object", "properties": optional, "additionalProperties": true},
		"values":      {"enum": values},
		"ambiguous":   {"pattern": "(.*.*.*.*.*.*.*.*){50}x"},
		"loops":       {"pattern": "^(((((a*)*)*)*)*)*x$"},
		"counts":      {"pattern": "a.{0,1000}b.{0,1000}c"},
		"branches":    {"anyOf": []any{fields{"items": fields{"$ref": "#"}}, fields{"items": fields{"$ref": "#"}}, fields{"type": "null"}}},
	} {
		src, err := json.Marshal(schema)
		require.NoError(t, err)
		start := time.Now()
		if g, err := FromSchema(src); err == nil {
			_, _, whole := babble(t, tok, g.Constrain(v, 4096), rand.New(rand.NewPCG(1, 2)), 50)
			require.True(t, whole || name != "values", name)
		} else {
			require.Equal(t, "comparisons", name)
		}
		require.Less(t, time.Since(start), 5*time.Second, name)
	}
	src, err := json.Marshal(fields{"enum": values})
	require.NoError(t, err)
	g, err := FromSchema(src)
	require.NoError(t, err)
	require.True(t, g.Match(`"value 158372081"`))
	require.True(t, g.Match(`"value 0"`))
	require.False(t, g.Match(`"value 1"`))
	require.False(t, g.Match(`"value "`))
}

// A text that can be read in too many ways is an error, not a hole in what is
// allowed.
func TestTooAmbiguous(t *testing.T) {
	_, v := testVocabulary(t)
	g, err := Parse(`root ::= ("a"?){70000}`)
	require.NoError(t, err)
	require.ErrorIs(t, g.Constrain(v, 0).Hook(nil, make([]float32, 300)), ErrGrammar)
}
