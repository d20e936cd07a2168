package grammar_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/grammar"
	"github.com/coterie-go/coterie/moe/moetest"
)

// A model that knows fairy tales only writes JSON that follows a schema, at a
// temperature at which its words are noise, and ends it within the limit.
func TestGenerate(t *testing.T) {
	m, err := moetest.Tale(moe.WithThreads(2))
	require.NoError(t, err)
	defer m.Close()
	tok, err := m.Tokenizer()
	require.NoError(t, err)
	v := grammar.NewVocabulary(tok)
	g, err := grammar.FromSchema([]byte(`{"type": "object", "properties": {
		"name": {"type": "string"}, "age": {"type": "integer", "minimum": 1, "maximum": 120},
		"friends": {"type": "array", "items": {"type": "string"}}}, "required": ["name", "age", "friends"]}`))
	require.NoError(t, err)
	before := m.NewState()
	for _, err := range m.Generate(t.Context(), before, "Once upon a time there was a king, and he was called", moe.Sampling{MaxTokens: 1}) {
		require.NoError(t, err)
	}
	for seed := range uint64(20) {
		s, err := before.Fork()
		require.NoError(t, err)
		limit := 40 + int(seed)
		text, finish := "", moe.Unfinished
		for tok, err := range m.Generate(context.Background(), s, " ", moe.Sampling{Temperature: 3, Seed: seed, MaxTokens: limit, Hook: g.Constrain(v, limit).Hook}) {
			require.NoError(t, err)
			text += tok.Text
			finish = tok.Finish
		}
		require.Equal(t, moe.FinishEnd, finish, text)
		var value struct {
			Name    *string
			Age     int
			Friends []string
		}
		require.NoError(t, json.Unmarshal([]byte(text), &value), text)
		require.NotNil(t, value.Name)
		require.True(t, 1 <= value.Age && value.Age <= 120)
		if seed == 0 {
			t.Log(text)
		}
	}
}
