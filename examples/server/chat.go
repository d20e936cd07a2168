package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/chat"
	"github.com/coterie-go/coterie/moe/grammar"
)

func randomSeed() uint64 { return rand.Uint64() }

type chatRequest struct {
	common
	Messages            []chatMessage  `json:"messages"`
	MaxCompletionTokens *int           `json:"max_completion_tokens"`
	Logprobs            bool           `json:"logprobs"`
	TopLogprobs         int            `json:"top_logprobs"`
	Tools               []chatTool     `json:"tools"`
	ToolChoice          any            `json:"tool_choice"`
	ReasoningEffort     string         `json:"reasoning_effort"`
	TemplateVars        map[string]any `json:"chat_template_kwargs"` // as in other servers
}

type chatMessage struct {
	Role       string      `json:"role"`
	Content    textParts   `json:"content"`
	Reasoning  string      `json:"reasoning_content"`
	Name       string      `json:"name"`
	ToolCallID string      `json:"tool_call_id"`
	ToolCalls  []*toolCall `json:"tool_calls"`
}

type toolCall struct {
	Index    *int   `json:"index,omitempty"` // in streams
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type chatTool struct {
	Type     string `json:"type"`
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	} `json:"function"`
}

// textParts is a text, or a list of parts that are texts.
type textParts string

func (t *textParts) UnmarshalJSON(b []byte) error {
	var s *string
	if json.Unmarshal(b, &s) == nil {
		if s != nil {
			*t = textParts(*s)
		}
		return nil
	}
	var parts []struct{ Type, Text string }
	if err := json.Unmarshal(b, &parts); err != nil {
		return badRequest("messages", "content: want a text or a list of parts")
	}
	var all strings.Builder
	for _, p := range parts {
		if p.Type != "text" {
			return badRequest("messages", "content: parts of type %q are not supported", p.Type)
		}
		all.WriteString(p.Text)
	}
	*t = textParts(all.String())
	return nil
}

type spelledToken struct {
	Token   string  `json:"token"`
	Logprob float32 `json:"logprob"`
	Bytes   []int   `json:"bytes"`
}

type tokenLogprob struct {
	spelledToken
	Top []spelledToken `json:"top_logprobs"`
}

type logprobList struct {
	Content []tokenLogprob `json:"content"`
}

type chatAnswer struct {
	Role      string      `json:"role,omitempty"`
	Content   *string     `json:"content,omitempty"`
	Reasoning string      `json:"reasoning_content,omitempty"`
	ToolCalls []*toolCall `json:"tool_calls,omitempty"`
}

type chatChoice struct {
	Index    int          `json:"index"`
	Message  *chatAnswer  `json:"message,omitempty"`
	Delta    *chatAnswer  `json:"delta,omitempty"`
	Logprobs *logprobList `json:"logprobs"`
	Finish   *string      `json:"finish_reason"`
}

type chatResponse struct {
	ID          string       `json:"id"`
	Object      string       `json:"object"`
	Created     int64        `json:"created"`
	Model       string       `json:"model"`
	Fingerprint string       `json:"system_fingerprint,omitempty"`
	Choices     []chatChoice `json:"choices"`
	Usage       *usage       `json:"usage,omitempty"`
}

func (s *server) chat(w http.ResponseWriter, r *http.Request) error {
	out := w.(*answer)
	var q chatRequest
	if err := s.read(w, r, &q); err != nil {
		return err
	}
	if q.MaxCompletionTokens != nil {
		q.MaxTokens = q.MaxCompletionTokens
	}
	opt, err := s.sampling(&q.common)
	if err != nil {
		return err
	}
	if q.MaxTokens != nil && *q.MaxTokens == 0 {
		return badRequest("max_tokens", "max_tokens: want 1 or more, found 0")
	}
	if q.TopLogprobs < 0 || q.TopLogprobs > 20 {
		return badRequest("top_logprobs", "top_logprobs: want 0 to 20, found %d", q.TopLogprobs)
	}
	if q.TopLogprobs > 0 && !q.Logprobs {
		return badRequest("top_logprobs", "top_logprobs needs logprobs")
	}
	opt.TopLogProbs, opt.Special = q.TopLogprobs, true
	g, err := q.grammar()
	if err != nil {
		return err
	}
	request, err := s.conversation(&q)
	if err != nil {
		return err
	}
	prompt, err := s.template.Render(r.Context(), request)
	if err != nil {
		return err
	}
	ids := s.encode(prompt)
	if err := s.fits("messages", ids, &opt); err != nil {
		return err
	}
	state := s.cache.take(s.m, ids)
	out.usage.Prompt, out.usage.Details.Cached = len(ids), state.Len()
	if err := s.prompt(r.Context(), state, ids); err != nil {
		return err
	}
	defer func() { s.cache.put(state) }()

	res := chatResponse{ID: s.requestID("chatcmpl"), Object: "chat.completion", Created: time.Now().Unix(), Model: s.o.name}
	if q.Stream {
		res.Object = "chat.completion.chunk"
		out.begin()
	}
	for i := range q.choices() {
		c := &conversant{s: s, out: out, res: &res, q: &q, index: i, parser: s.template.Parser(prompt), g: g, opt: opt}
		c.opt.Seed += uint64(i)
		st := state
		if i < q.choices()-1 {
			if st, err = state.Fork(); err != nil {
				return err
			}
		}
		if err := c.run(r.Context(), st, ids[len(ids)-1:]); err != nil {
			return err
		}
	}
	out.usage.Total = out.usage.Prompt + out.usage.Completion
	if !q.Stream {
		res.Usage = &out.usage
		return writeJSON(out, http.StatusOK, res)
	}
	if q.StreamOptions.IncludeUsage {
		res.Choices, res.Usage = []chatChoice{}, &out.usage
		if err := out.event(res); err != nil {
			return err
		}
	}
	return out.event("[DONE]")
}

// fits checks that there is a prompt, and limits the answer to the room it leaves,
// so that an answer which must follow a grammar is brought to its end in time.
func (s *server) fits(param string, ids []int32, opt *moe.Sampling) error {
	most := s.m.Config().Context
	switch {
	case len(ids) == 0:
		return badRequest(param, "%s: no text", param)
	case len(ids) >= most:
		return &apiError{status: http.StatusBadRequest, Message: fmt.Sprintf("%s: %d tokens, the model's context has %d", param, len(ids), most), Type: "invalid_request_error", Param: param, Code: "context_length_exceeded"}
	}
	if room := most - len(ids) + 1; opt.MaxTokens == 0 || opt.MaxTokens > room {
		opt.MaxTokens = room
	}
	return nil
}

// encode turns a rendered prompt into tokens. Templates mostly spell the begin token.
func (s *server) encode(prompt string) []int32 {
	ids := s.tok.Encode(prompt, true, true)
	if bos, ok := s.tok.BOS(); ok && len(ids) > 1 && ids[0] == bos && ids[1] == bos {
		ids = ids[1:]
	}
	return ids
}

// conversation turns OpenAI's messages into the template's.
func (s *server) conversation(q *chatRequest) (chat.Request, error) {
	if len(q.Messages) == 0 {
		return chat.Request{}, badRequest("messages", "messages: want one or more, found none")
	}
	c := chat.Request{Vars: map[string]any{}}
	if q.ReasoningEffort != "" {
		c.Vars["reasoning_effort"] = q.ReasoningEffort
		c.Vars["enable_thinking"] = q.ReasoningEffort != "none"
	}
	for k, v := range q.TemplateVars {
		c.Vars[k] = v
	}
	for i, m := range q.Messages {
		switch m.Role {
		case "system", "user", "assistant", "tool", "developer":
		default:
			return c, badRequest("messages", "messages: message %d: role %q is not one of system, developer, user, assistant, tool", i, m.Role)
		}
		msg := chat.Message{Role: m.Role, Content: string(m.Content), Reasoning: m.Reasoning, Name: m.Name, CallID: m.ToolCallID}
		for _, t := range m.ToolCalls {
			if t != nil {
				msg.Calls = append(msg.Calls, chat.ToolCall{ID: t.ID, Name: t.Function.Name, Arguments: t.Function.Arguments})
			}
		}
		c.Messages = append(c.Messages, msg)
	}
	if q.ToolChoice != "none" {
		for _, t := range q.Tools {
			c.Tools = append(c.Tools, chat.Tool{Name: t.Function.Name, Description: t.Function.Description, Parameters: t.Function.Parameters})
		}
	}
	if id, ok := s.tok.BOS(); ok {
		c.BOS = s.tok.Token(id)
	}
	if id, ok := s.tok.EOS(); ok {
		c.EOS = s.tok.Token(id)
	}
	return c, nil
}

// conversant writes one choice.
type conversant struct {
	s      *server
	out    *answer
	res    *chatResponse
	q      *chatRequest
	index  int
	parser *chat.Parser
	opt    moe.Sampling

	// The grammar holds for the answer, not for what is thought before it: from
	// token begun on.
	g          *grammar.Grammar
	constraint *grammar.Constraint
	begun      int

	content, reasoning strings.Builder
	calls              []*toolCall
	logprobs           []tokenLogprob
	pending            []tokenLogprob // of tokens whose text has not come out
}

func (c *conversant) hook(generated []int32, logits []float32) error {
	if c.constraint == nil {
		if !c.parser.InContent() {
			return nil
		}
		c.constraint, c.begun = c.g.Constrain(c.s.vocab(), c.opt.MaxTokens-len(generated)), len(generated)
	}
	return c.constraint.Hook(generated[c.begun:], logits)
}

func (c *conversant) run(ctx context.Context, st *moe.State, ids []int32) error {
	if c.g != nil {
		c.opt.Hook = c.hook
	}
	if c.q.Stream {
		empty := ""
		if err := c.send(chatAnswer{Role: "assistant", Content: &empty}, nil); err != nil {
			return err
		}
	}
	finish := moe.FinishLength
	for tok, err := range c.s.sched.GenerateTokens(ctx, st, ids, c.opt) {
		if err != nil {
			return err
		}
		c.out.usage.Completion++
		finish = tok.Finish
		if c.q.Logprobs && tok.Finish != moe.FinishEnd {
			c.pending = append(c.pending, c.s.logprob(tok))
		}
		d := c.parser.Next(tok.Text)
		if tok.Finish != moe.Unfinished {
			rest := c.parser.Flush()
			d.Content, d.Reasoning, d.Calls = d.Content+rest.Content, d.Reasoning+rest.Reasoning, append(d.Calls, rest.Calls...)
		}
		if err := c.add(d); err != nil {
			return err
		}
	}
	reason := finishReason(finish, len(c.calls) > 0)
	if c.q.Stream {
		return c.send(chatAnswer{}, &reason)
	}
	content := c.content.String()
	choice := chatChoice{Index: c.index, Finish: &reason, Message: &chatAnswer{Role: "assistant", Content: &content, Reasoning: c.reasoning.String(), ToolCalls: c.calls}}
	if c.q.Logprobs {
		choice.Logprobs = &logprobList{Content: append(c.logprobs, c.pending...)}
	}
	c.res.Choices = append(c.res.Choices, choice)
	return nil
}

// add takes what a token adds to the answer.
func (c *conversant) add(d chat.Delta) error {
	if d.Content == "" && d.Reasoning == "" && len(d.Calls) == 0 {
		return nil
	}
	a := chatAnswer{Reasoning: d.Reasoning}
	if d.Content != "" {
		a.Content = &d.Content
	}
	for _, call := range d.Calls {
		t := &toolCall{ID: call.ID, Type: "function"}
		t.Function.Name, t.Function.Arguments = call.Name, call.Arguments
		if c.q.Stream {
			n := len(c.calls)
			t.Index = &n
		}
		c.calls, a.ToolCalls = append(c.calls, t), append(a.ToolCalls, t)
	}
	if c.q.Stream {
		return c.send(a, nil)
	}
	c.content.WriteString(d.Content)
	c.reasoning.WriteString(d.Reasoning)
	c.logprobs, c.pending = append(c.logprobs, c.pending...), nil
	return nil
}

// send sends a chunk, with the log-probabilities of the tokens since the last one.
func (c *conversant) send(a chatAnswer, finish *string) error {
	choice := chatChoice{Index: c.index, Delta: &a, Finish: finish}
	if c.q.Logprobs && len(c.pending) > 0 {
		choice.Logprobs = &logprobList{Content: c.pending}
		c.pending = nil
	}
	chunk := *c.res
	chunk.Choices = []chatChoice{choice}
	return c.out.event(chunk)
}

func (s *server) logprob(tok moe.Token) tokenLogprob {
	spell := func(id int32, p float32) spelledToken { return spelledToken{s.spelling(id), p, s.bytesOf(id)} }
	l := tokenLogprob{spell(tok.ID, tok.LogProb), []spelledToken{}}
	for _, t := range tok.Top {
		l.Top = append(l.Top, spell(t.ID, t.LogProb))
	}
	return l
}
