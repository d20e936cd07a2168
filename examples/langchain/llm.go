// Package langchain makes a model of this library a langchaingo llms.Model: chains
// and agents written for a service then run in the program's own process. It is a
// module of its own, so that the library does not depend on langchaingo.
//
//	m, err := moe.Open("model.gguf")
//	llm, err := langchain.New(m)
//	answer, err := llms.GenerateFromSinglePrompt(ctx, llm, "Tell me a story", llms.WithMaxTokens(200))
package langchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/tmc/langchaingo/llms"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/chat"
	"github.com/coterie-go/coterie/moe/grammar"
	"github.com/coterie-go/coterie/moe/tokenizer"
)

// ErrUnsupported says that a message or option has no counterpart in the library.
var ErrUnsupported = errors.New("langchain: not supported")

// LLM is a model behind langchaingo's interface. It may be used by many goroutines
// at once; the model is the caller's to close, after the last call.
type LLM struct {
	m        *moe.Model
	tok      *tokenizer.Tokenizer
	template *chat.Template
	vocab    func() *grammar.Vocabulary
}

var _ llms.Model = (*LLM)(nil)

// New wraps a model. One that brings no chat template is given the messages one
// after another, to go on with.
func New(m *moe.Model) (*LLM, error) {
	tok, err := m.Tokenizer()
	if err != nil {
		return nil, err
	}
	src := m.ChatTemplate()
	if src == "" {
		src = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
	}
	t, err := chat.Parse(src)
	if err != nil {
		return nil, err
	}
	return &LLM{m, tok, t, sync.OnceValue(func() *grammar.Vocabulary { return grammar.NewVocabulary(tok) })}, nil
}

// Call answers a prompt.
//
// Deprecated: it is part of llms.Model; use llms.GenerateFromSinglePrompt.
func (l *LLM) Call(ctx context.Context, prompt string, options ...llms.CallOption) (string, error) {
	return llms.GenerateFromSinglePrompt(ctx, l, prompt, options...)
}

// GenerateContent answers a conversation.
func (l *LLM) GenerateContent(ctx context.Context, messages []llms.MessageContent, options ...llms.CallOption) (*llms.ContentResponse, error) {
	o := llms.CallOptions{Temperature: 1}
	for _, f := range options {
		f(&o)
	}
	q, err := l.request(messages, &o)
	if err != nil {
		return nil, err
	}
	prompt, err := l.template.Render(ctx, q)
	if err != nil {
		return nil, err
	}
	var res llms.ContentResponse
	for i := range max(o.N, o.CandidateCount, 1) {
		c, err := l.choice(ctx, prompt, i, &o)
		if err != nil {
			return nil, err
		}
		res.Choices = append(res.Choices, c)
	}
	return &res, nil
}

func (l *LLM) choice(ctx context.Context, prompt string, i int, o *llms.CallOptions) (*llms.ContentChoice, error) {
	s := moe.Sampling{
		Temperature: float32(o.Temperature), TopK: o.TopK, TopP: float32(o.TopP), RepeatPenalty: float32(o.RepetitionPenalty),
		FrequencyPenalty: float32(o.FrequencyPenalty), PresencePenalty: float32(o.PresencePenalty),
		MaxTokens: o.MaxTokens, Stop: o.StopWords, Seed: uint64(o.Seed) + uint64(i), Special: true,
	}
	if o.Seed == 0 {
		s.Seed = rand.Uint64()
	}
	if o.JSONMode {
		g, err := grammar.FromSchema([]byte(`{"type": "object"}`))
		if err != nil {
			return nil, err
		}
		s.Hook = g.Constrain(l.vocab(), o.MaxTokens).Hook
	}
	parser := l.template.Parser(prompt)
	choice := &llms.ContentChoice{}
	var content, reasoning strings.Builder
	tokens := 0
	for tok, err := range l.m.Generate(ctx, l.m.NewState(), prompt, s) {
		if err != nil {
			return nil, err
		}
		tokens++
		d := parser.Next(tok.Text)
		if tok.Finish != moe.Unfinished {
			rest := parser.Flush()
			d.Content, d.Reasoning, d.Calls = d.Content+rest.Content, d.Reasoning+rest.Reasoning, append(d.Calls, rest.Calls...)
			choice.StopReason = stopReason(tok.Finish)
		}
		content.WriteString(d.Content)
		reasoning.WriteString(d.Reasoning)
		for _, c := range d.Calls {
			choice.ToolCalls = append(choice.ToolCalls, llms.ToolCall{ID: c.ID, Type: "function", FunctionCall: &llms.FunctionCall{Name: c.Name, Arguments: c.Arguments}})
		}
		if err := stream(ctx, o, d); err != nil {
			return nil, err
		}
	}
	if len(choice.ToolCalls) > 0 {
		choice.FuncCall, choice.StopReason = choice.ToolCalls[0].FunctionCall, "tool_calls"
	}
	choice.Content, choice.ReasoningContent = content.String(), reasoning.String()
	n := len(l.tok.Encode(prompt, true, true))
	choice.GenerationInfo = map[string]any{"PromptTokens": n, "CompletionTokens": tokens, "TotalTokens": n + tokens}
	return choice, nil
}

// stream passes on what a token adds.
func stream(ctx context.Context, o *llms.CallOptions, d chat.Delta) error {
	if f := o.StreamingReasoningFunc; f != nil && d.Content+d.Reasoning != "" {
		if err := f(ctx, []byte(d.Reasoning), []byte(d.Content)); err != nil {
			return err
		}
	}
	if f := o.StreamingFunc; f != nil && d.Content != "" {
		return f(ctx, []byte(d.Content))
	}
	return nil
}

func stopReason(f moe.Finish) string {
	if f == moe.FinishLength || f == moe.FinishContext {
		return "length"
	}
	return "stop"
}

// request turns messages and tools into the template's.
func (l *LLM) request(messages []llms.MessageContent, o *llms.CallOptions) (chat.Request, error) {
	q := chat.Request{}
	if id, ok := l.tok.BOS(); ok {
		q.BOS = l.tok.Token(id)
	}
	if id, ok := l.tok.EOS(); ok {
		q.EOS = l.tok.Token(id)
	}
	for _, m := range messages {
		msg := chat.Message{}
		switch m.Role {
		case llms.ChatMessageTypeSystem:
			msg.Role = "system"
		case llms.ChatMessageTypeHuman, llms.ChatMessageTypeGeneric:
			msg.Role = "user"
		case llms.ChatMessageTypeAI:
			msg.Role = "assistant"
		case llms.ChatMessageTypeTool, llms.ChatMessageTypeFunction:
			msg.Role = "tool"
		default:
			return q, fmt.Errorf("%w: role %q", ErrUnsupported, m.Role)
		}
		for _, p := range m.Parts {
			switch p := p.(type) {
			case llms.TextContent:
				msg.Content += p.Text
			case llms.ToolCall:
				if p.FunctionCall != nil {
					msg.Calls = append(msg.Calls, chat.ToolCall{ID: p.ID, Name: p.FunctionCall.Name, Arguments: p.FunctionCall.Arguments})
				}
			case llms.ToolCallResponse:
				msg.Content, msg.Name, msg.CallID = msg.Content+p.Content, p.Name, p.ToolCallID
			default:
				return q, fmt.Errorf("%w: a part of type %T", ErrUnsupported, p)
			}
		}
		q.Messages = append(q.Messages, msg)
	}
	for _, t := range o.Tools {
		if t.Function == nil {
			return q, fmt.Errorf("%w: tool of type %q", ErrUnsupported, t.Type)
		}
		params, err := json.Marshal(t.Function.Parameters)
		if err != nil {
			return q, fmt.Errorf("tool %s: %w", t.Function.Name, err)
		}
		if string(params) == "null" {
			params = nil
		}
		q.Tools = append(q.Tools, chat.Tool{Name: t.Function.Name, Description: t.Function.Description, Parameters: params})
	}
	return q, nil
}
