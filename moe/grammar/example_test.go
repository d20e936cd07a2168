package grammar_test

import (
	"context"
	"fmt"
	"log"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/grammar"
	"github.com/coterie-go/coterie/moe/moetest"
)

func ExampleFromSchema() {
	g, err := grammar.FromSchema([]byte(`{
		"type": "object",
		"properties": {"name": {"type": "string"}, "kind": {"enum": ["king", "wolf"]}, "age": {"type": "integer", "minimum": 0, "maximum": 99}},
		"required": ["name", "kind", "age"]
	}`))
	if err != nil {
		log.Fatal(err)
	}
	model, err := moetest.Tale()
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	tok, err := model.Tokenizer()
	if err != nil {
		log.Fatal(err)
	}
	c := g.Constrain(grammar.NewVocabulary(tok), 50)
	opt := moe.Sampling{Temperature: 0.5, Seed: 2, MaxTokens: 50, Hook: c.Hook}
	for token, err := range model.Generate(context.Background(), model.NewState(), "There was once a king whose name was ", opt) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(token.Text)
	}
	// Output:
	// { "name": "To my son, I beg that he will kill him.", "kind": "wolf", "age":
	// 96
	//    }
}

func ExampleParse() {
	g, err := grammar.Parse(`
root   ::= number (" " [+*] " " number)*
number ::= [1-9] [0-9]{0,3} | "(" root ")"
`)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(g.Match("2 + 3 * (4 + 51)"), g.Match("2 +"))
	// Output: true false
}
