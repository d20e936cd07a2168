package main

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coterie-go/coterie/moe"
)

type completeRequest struct {
	common
	Prompt   prompts `json:"prompt"`
	Suffix   string  `json:"suffix"`
	Echo     bool    `json:"echo"`
	Logprobs *int    `json:"logprobs"`
	BestOf   *int    `json:"best_of"`
}

type completeLogprobs struct {
	Tokens   []string             `json:"tokens"`
	Logprobs []*float32           `json:"token_logprobs"`
	Top      []map[string]float32 `json:"top_logprobs"`
	Offsets  []int                `json:"text_offset"`
}

type completeChoice struct {
	Index    int               `json:"index"`
	Text     string            `json:"text"`
	Logprobs *completeLogprobs `json:"logprobs"`
	Finish   *string           `json:"finish_reason"`
}

type completeResponse struct {
	ID      string           `json:"id"`
	Object  string           `json:"object"`
	Created int64            `json:"created"`
	Model   string           `json:"model"`
	Choices []completeChoice `json:"choices"`
	Usage   *usage           `json:"usage,omitempty"`
}

const maxPrompts = 64

func (s *server) complete(w http.ResponseWriter, r *http.Request) error {
	out := w.(*answer)
	var q completeRequest
	if err := s.read(w, r, &q); err != nil {
		return err
	}
	opt, err := s.sampling(&q.common)
	if err != nil {
		return err
	}
	if q.Suffix != "" {
		return badRequest("suffix", "suffix is not supported")
	}
	if q.BestOf != nil && *q.BestOf != q.choices() {
		return badRequest("best_of", "best_of: want what n is, found %d", *q.BestOf)
	}
	if q.MaxTokens == nil && (opt.MaxTokens == 0 || opt.MaxTokens > 16) {
		opt.MaxTokens = 16 // OpenAI's default here
	}
	if l := q.Logprobs; l != nil {
		if *l < 0 || *l > 20 {
			return badRequest("logprobs", "logprobs: want 0 to 20, found %d", *l)
		}
		opt.TopLogProbs = *l
	}
	opt.Echo = q.Echo
	g, err := q.grammar()
	if err != nil {
		return err
	}
	list := q.Prompt.tokens
	for _, text := range q.Prompt.texts {
		list = append(list, s.encode(text))
	}
	if len(list) == 0 || len(list) > maxPrompts {
		return badRequest("prompt", "prompt: want 1 to %d, found %d", maxPrompts, len(list))
	}
	limits := make([]moe.Sampling, len(list))
	for i, ids := range list {
		limits[i] = opt
		if err := s.fits("prompt", ids, &limits[i]); err != nil {
			return err
		}
	}
	res := completeResponse{ID: s.requestID("cmpl"), Object: "text_completion", Created: time.Now().Unix(), Model: s.o.name, Choices: []completeChoice{}}
	if q.Stream {
		out.begin()
	}
	for i := range len(list) * q.choices() {
		ids := list[i/q.choices()]
		c := &completer{s: s, out: out, res: &res, q: &q, index: i, opt: limits[i/q.choices()]}
		c.opt.Seed += uint64(i)
		if i%q.choices() == 0 {
			out.usage.Prompt += len(ids)
		}
		if g != nil {
			c.opt.Hook = g.Constrain(s.vocab(), c.opt.MaxTokens).Hook
		}
		if err := c.run(r.Context(), ids); err != nil {
			return err
		}
	}
	out.usage.Total = out.usage.Prompt + out.usage.Completion
	if !q.Stream {
		res.Usage = &out.usage
		return writeJSON(out, http.StatusOK, res)
	}
	if q.StreamOptions.IncludeUsage {
		res.Usage = &out.usage
		if err := out.event(res); err != nil {
			return err
		}
	}
	return out.event("[DONE]")
}

// completer writes one choice.
type completer struct {
	s     *server
	out   *answer
	res   *completeResponse
	q     *completeRequest
	index int
	opt   moe.Sampling

	text     strings.Builder
	logprobs completeLogprobs
	offset   int // of the next token in the text, in characters
	first    bool
}

func (c *completer) run(ctx context.Context, ids []int32) error {
	// A limit of 0 asks for the prompt's log-probabilities only; the library's 0 is
	// for no limit.
	score := c.q.MaxTokens != nil && *c.q.MaxTokens == 0
	if score {
		c.opt.MaxTokens = 1
	}
	c.first = true
	finish := moe.FinishLength
	for tok, err := range c.s.sched.GenerateTokens(ctx, c.s.m.NewState(), ids, c.opt) {
		if err != nil {
			return err
		}
		if score && !tok.Prompt {
			break
		}
		if !tok.Prompt {
			c.out.usage.Completion++
			finish = tok.Finish
		}
		c.note(tok)
		c.text.WriteString(tok.Text)
		if c.q.Stream && tok.Text != "" {
			if err := c.send(nil); err != nil {
				return err
			}
		}
	}
	reason := finishReason(finish, false)
	if c.q.Stream {
		return c.send(&reason)
	}
	c.res.Choices = append(c.res.Choices, c.choice(&reason))
	return nil
}

// note keeps a token's log-probabilities; the first of an echoed prompt has none.
func (c *completer) note(tok moe.Token) {
	first := c.first
	c.first = false
	if c.q.Logprobs == nil || tok.Finish == moe.FinishEnd {
		return
	}
	l := &c.logprobs
	l.Tokens, l.Offsets = append(l.Tokens, c.s.spelling(tok.ID)), append(l.Offsets, c.offset)
	c.offset += utf8.RuneCountInString(tok.Text)
	if first && tok.Prompt {
		l.Logprobs, l.Top = append(l.Logprobs, nil), append(l.Top, nil)
		return
	}
	top := map[string]float32{}
	for _, t := range tok.Top {
		top[c.s.spelling(t.ID)] = t.LogProb
	}
	l.Logprobs, l.Top = append(l.Logprobs, &tok.LogProb), append(l.Top, top)
}

func (c *completer) choice(finish *string) completeChoice {
	choice := completeChoice{Index: c.index, Text: c.text.String(), Finish: finish}
	if c.q.Logprobs != nil {
		l := c.logprobs
		choice.Logprobs = &l
	}
	return choice
}

// send sends what has come since the last time.
func (c *completer) send(finish *string) error {
	chunk := *c.res
	chunk.Choices = []completeChoice{c.choice(finish)}
	c.text.Reset()
	c.logprobs = completeLogprobs{}
	return c.out.event(chunk)
}
