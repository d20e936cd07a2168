package moe

import (
	"strings"

	"github.com/coterie-go/coterie/moe/tokenizer"
)

// textOut turns tokens into text that may be shown: whole characters, and nothing
// that may turn out to be the beginning of a stop.
type textOut struct {
	dec  *tokenizer.Decoder // nil without a tokenizer
	stop []string
	held string
}

func newTextOut(t *tokenizer.Tokenizer, opt Sampling, prompt []int32) *textOut {
	o := &textOut{stop: opt.Stop}
	if t != nil {
		o.dec = t.NewDecoder(opt.Special)
		// What follows is no text's beginning, and may complete a character. The end of
		// the prompt tells: no character has more than four tokens.
		for _, id := range prompt[max(len(prompt)-16, 0):] {
			o.dec.Next(id)
		}
	}
	return o
}

// next returns the text that id lets out, and whether a stop came up, before
// which the text ends.
func (o *textOut) next(id int32) (string, bool) {
	if o.dec == nil {
		return "", false
	}
	return o.let(o.dec.Next(id))
}

// rest returns what is held back when no more will come.
func (o *textOut) rest() string {
	if o.dec == nil {
		return ""
	}
	text, stopped := o.let(o.dec.Flush())
	if !stopped {
		text += o.held
	}
	o.held = ""
	return text
}

func (o *textOut) let(text string) (string, bool) {
	text = o.held + text
	first := -1
	for _, s := range o.stop {
		if i := strings.Index(text, s); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first >= 0 {
		o.held = ""
		return text[:first], true
	}
	keep := 0
	for _, s := range o.stop {
		for n := min(len(s)-1, len(text)); n > keep; n-- {
			if strings.HasSuffix(text, s[:n]) {
				keep = n
			}
		}
	}
	o.held = text[len(text)-keep:]
	return text[:len(text)-keep], false
}
