package moetest

import (
	"math"
	"strings"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/tokenizer"
)

// Scripted opens a model whose answers the test dictates, so that application code
// can be tested without luck: to a prompt for which answer returns a text, greedy
// generation says that text and ends. It is a real model with a real tokenizer
// (Tale's); only its last word is taken: the logits of the token in the script are
// raised above all others, so that sampling at any temperature follows it too.
//
// answer is given the text that a state has read, special tokens spelled out, up to
// some token; the longest such beginning for which it returns ok, and that the rest
// follows, decides. It must depend on nothing else and may be called often, from
// several goroutines.
func Scripted(answer func(prompt string) (text string, ok bool), opts ...moe.Option) (*moe.Model, error) {
	m, err := Tale()
	if err != nil {
		return nil, err
	}
	tok, err := m.Tokenizer()
	m.Close()
	if err != nil {
		return nil, err
	}
	s := &script{tok: tok, answer: answer}
	s.end, _ = tok.EOS()
	return Tale(append(opts, moe.WithLogitsOverride(s.override))...)
}

// Replies returns an answer function for Scripted: a prompt that ends with a key is
// answered with its value.
func Replies(replies map[string]string) func(prompt string) (string, bool) {
	return func(prompt string) (string, bool) {
		best, found := "", false
		for end := range replies {
			if strings.HasSuffix(prompt, end) && (!found || len(end) > len(best)) {
				best, found = end, true
			}
		}
		return replies[best], found
	}
}

type script struct {
	tok    *tokenizer.Tokenizer
	answer func(string) (string, bool)
	end    int32
}

// override raises the script's next token after the tokens that were read.
func (s *script) override(tokens []int32, logits []float32) {
	for cut := len(tokens); cut > 0; cut-- {
		text, ok := s.answer(s.tok.Decode(tokens[:cut], true))
		if !ok {
			continue
		}
		say := append(s.tok.Encode(text, false, false), s.end)
		said := tokens[cut:]
		if len(said) >= len(say) || !begins(say, said) {
			continue
		}
		for i := range logits {
			logits[i] = float32(math.Inf(-1))
		}
		logits[say[len(said)]] = 0
		return
	}
}

func begins(all, first []int32) bool {
	for i, id := range first {
		if all[i] != id {
			return false
		}
	}
	return true
}
