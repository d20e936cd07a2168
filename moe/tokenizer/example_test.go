package tokenizer_test

import (
	"fmt"
	"log"
	"os"

	"github.com/coterie-go/coterie/moe/tokenizer"
)

// tale opens the tokenizer of the embedded model.
func tale() *tokenizer.Tokenizer {
	data, err := os.ReadFile("testdata/tale/tokenizer.json")
	if err != nil {
		log.Fatal(err)
	}
	config, err := os.ReadFile("testdata/tale/tokenizer_config.json")
	if err != nil {
		log.Fatal(err)
	}
	t, err := tokenizer.FromJSON(data, config)
	if err != nil {
		log.Fatal(err)
	}
	return t
}

func ExampleFromJSON() {
	t := tale()
	bos, _ := t.BOS()
	fmt.Println(t.VocabSize(), "tokens; a text begins with", t.Token(bos))
	// Output: 2048 tokens; a text begins with <｜begin▁of▁sentence｜>
}

func ExampleFromGGUF() {
	t, err := tokenizer.FromGGUF(map[string]any{
		"tokenizer.ggml.model":        "gpt2",
		"tokenizer.ggml.pre":          "qwen2",
		"tokenizer.ggml.tokens":       []string{"a", "b", "ab", "Ġ", "<|im_end|>"},
		"tokenizer.ggml.token_type":   []int32{1, 1, 1, 1, 3},
		"tokenizer.ggml.merges":       []string{"a b"},
		"tokenizer.ggml.eos_token_id": uint32(4),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Encode("ab ba<|im_end|>", false, true))
	// Output: [2 3 1 0 4]
}

func ExampleTokenizer_Encode() {
	t := tale()
	for _, id := range t.Encode("Once upon a time", true, false) {
		fmt.Printf("%d %s\n", id, t.Token(id))
	}
	// Output:
	// 0 <｜begin▁of▁sentence｜>
	// 1393 On
	// 328 ce
	// 730 Ġupon
	// 264 Ġa
	// 519 Ġtime
}

func ExampleTokenizer_Decode() {
	t := tale()
	ids := t.Encode("The king said: go!", true, false)
	fmt.Println(t.Decode(ids, false))
	fmt.Println(t.Decode(ids, true))
	// Output:
	// The king said: go!
	// <｜begin▁of▁sentence｜>The king said: go!
}

func ExampleTokenizer_Piece() {
	t := tale()
	for _, id := range t.Encode("né", false, false) {
		piece, err := t.Piece(id)
		fmt.Printf("%q %v\n", piece, err)
	}
	_, err := t.Piece(5000)
	fmt.Println(err)
	// Output:
	// "n" <nil>
	// "\xc3" <nil>
	// "\xa9" <nil>
	// tokenizer: no such token: id 5000, the vocabulary has 2048
}

func ExampleDecoder() {
	t := tale()
	d := t.NewDecoder(false)
	for _, id := range t.Encode("a 😀", false, false) {
		fmt.Printf("%q ", d.Next(id))
	}
	fmt.Printf("%q\n", d.Flush())
	// Output: "a" " " "" "" "" "😀" ""
}
