package chat_test

import (
	"context"
	"fmt"
	"log"

	"github.com/coterie-go/coterie/moe/chat"
)

func ExampleTemplate() {
	t, err := chat.Parse(`{% for m in messages %}<|{{ m.role }}|>{{ m.content }}
{% endfor %}{% if add_generation_prompt %}<|assistant|><think>{% endif %}{# answers: <think>...</think> #}`)
	if err != nil {
		log.Fatal(err)
	}
	prompt, err := t.Render(context.Background(), chat.Request{Messages: []chat.Message{{Role: "user", Content: "2+2?"}}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(prompt)

	p := t.Parser(prompt)
	for _, text := range []string{"Two and", " two.</th", "ink>\n\n", "Four."} { // as a model might
		d := p.Next(text)
		fmt.Printf("%q %q\n", d.Reasoning, d.Content)
	}
	// Output:
	// <|user|>2+2?
	// <|assistant|><think>
	// "Two and" ""
	// " two." ""
	// "" ""
	// "" "Four."
}
