package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coterie-go/coterie/moe/chat/internal/jinja"
)

var (
	ErrTemplate = errors.New("chat: bad template")                     // it cannot be parsed, or fails
	ErrRefused  = errors.New("chat: the template does not allow this") // raise_exception: roles in a wrong order, say
	ErrLimit    = errors.New("chat: template exceeds its limits")
	ErrMessage  = errors.New("chat: bad message")
)

// Message is one of a conversation.
type Message struct {
	Role      string // system, user, assistant, tool or developer
	Content   string
	Reasoning string     // what an assistant thought before
	Calls     []ToolCall // that an assistant asked for
	Name      string     // of the function, in a tool's answer
	CallID    string     // of the call that a tool's message answers
}

// ToolCall is a call of a function.
type ToolCall struct {
	ID, Name  string
	Arguments string // a JSON object
}

// Tool is a function that may be called.
type Tool struct {
	Name, Description string
	Parameters        json.RawMessage // a JSON schema; empty for none
}

// Request is what a prompt is made of.
type Request struct {
	Messages []Message
	Tools    []Tool
	Complete bool           // do not ask for an answer behind the messages
	Vars     map[string]any // further variables: enable_thinking, reasoning_effort; booleans, strings, integers
	BOS, EOS string         // spellings of the tokens that begin and end a text
	Now      time.Time      // for templates that tell the date; the zero value stands for the time of the call
}

// Template is a chat template. It may be used by many goroutines.
type Template struct {
	t      *jinja.Template
	format format
	null   bool // calls without content have none, instead of an empty one
}

// Parse parses a template. An empty one is an error that wraps ErrTemplate.
func Parse(src string) (*Template, error) {
	if src == "" {
		return nil, fmt.Errorf("%w: it is empty", ErrTemplate)
	}
	t, err := jinja.Parse(src)
	if err != nil {
		return nil, wrap(err)
	}
	return &Template{t, formatOf(src), strings.Contains(src, "['content'] is none")}, nil
}

func wrap(err error) error {
	switch {
	case errors.Is(err, jinja.ErrRaised):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case errors.Is(err, jinja.ErrLimit):
		return fmt.Errorf("%w: %w", ErrLimit, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("%w: %w", ErrTemplate, err)
}

// Render returns the prompt of a request. It takes at most some 100 bytes of
// memory for each of the request and 64 MB, and 2 million steps, about a second.
func (t *Template) Render(ctx context.Context, q Request) (string, error) {
	if q.Now.IsZero() {
		q.Now = time.Now()
	}
	prompt, err := t.render(ctx, q, false)
	if errors.Is(err, jinja.ErrRender) && t.calls(q) {
		// Some templates take arguments as the text that OpenAI's interface has, most as
		// the object in it.
		if s, err := t.render(ctx, q, true); err == nil {
			return s, nil
		}
	}
	if err != nil {
		return "", wrap(err)
	}
	return prompt, nil
}

func (t *Template) calls(q Request) bool {
	for _, m := range q.Messages {
		if len(m.Calls) > 0 {
			return true
		}
	}
	return false
}

func (t *Template) render(ctx context.Context, q Request, text bool) (string, error) {
	size := 0
	messages := jinja.Array()
	for i := range q.Messages {
		v, err := t.message(&q.Messages[i], text)
		if err != nil {
			return "", fmt.Errorf("%w: message %d: %w", ErrMessage, i, err)
		}
		messages.Append(v)
		size += len(q.Messages[i].Content) + len(q.Messages[i].Reasoning)
	}
	vars := map[string]any{
		"messages": messages, "tools": nil, "documents": nil,
		"add_generation_prompt": !q.Complete, "bos_token": q.BOS, "eos_token": q.EOS,
	}
	if len(q.Tools) > 0 {
		tools := jinja.Array()
		for i := range q.Tools {
			v, err := q.Tools[i].value()
			if err != nil {
				return "", fmt.Errorf("%w: tool %d: %w", ErrMessage, i, err)
			}
			tools.Append(v)
			size += len(q.Tools[i].Parameters)
		}
		vars["tools"] = tools
	}
	for k, v := range q.Vars {
		switch v.(type) {
		case nil, bool, string, int, int64, float64:
			vars[k] = v
		default:
			return "", fmt.Errorf("%w: variable %s: want a boolean, string or number, found %T", ErrMessage, k, v)
		}
	}
	return t.t.Render(ctx, vars, q.Now, jinja.Limits{Steps: 2e6, Bytes: 64<<20 + 100*size})
}

// message returns m as templates know it. Reasoning has two names in circulation.
func (t *Template) message(m *Message, text bool) (*jinja.Dict, error) {
	if m.Role == "" {
		return nil, errors.New("without a role")
	}
	d := jinja.Object("role", m.Role, "content", m.Content)
	if m.Reasoning != "" {
		d.Set("reasoning_content", m.Reasoning)
		d.Set("thinking", m.Reasoning)
	}
	if m.Name != "" {
		d.Set("name", m.Name)
	}
	if m.CallID != "" {
		d.Set("tool_call_id", m.CallID)
	}
	if len(m.Calls) == 0 {
		return d, nil
	}
	if t.null && m.Content == "" {
		d.Set("content", nil)
	}
	calls := jinja.Array()
	for _, c := range m.Calls {
		var args any = c.Arguments
		if !text {
			var err error
			if args, err = jinja.FromJSON([]byte(c.Arguments)); err != nil {
				return nil, fmt.Errorf("call of %s: arguments: %w", c.Name, err)
			}
		}
		calls.Append(jinja.Object("id", c.ID, "type", "function", "function", jinja.Object("name", c.Name, "arguments", args)))
	}
	d.Set("tool_calls", calls)
	return d, nil
}

func (t *Tool) value() (*jinja.Dict, error) {
	f := jinja.Object("name", t.Name, "description", t.Description)
	if len(t.Parameters) > 0 {
		p, err := jinja.FromJSON(t.Parameters)
		if err != nil {
			return nil, fmt.Errorf("parameters of %s: %w", t.Name, err)
		}
		f.Set("parameters", p)
	}
	return jinja.Object("type", "function", "function", f), nil
}

// Clean takes the spellings of special tokens out of a text from a stranger.
// What remains contains none, not even one that the removal joined.
func Clean(text string, special []string) string {
	for again := true; again; {
		again = false
		for _, s := range special {
			if s != "" && strings.Contains(text, s) {
				text, again = strings.ReplaceAll(text, s, ""), true
			}
		}
	}
	return text
}
