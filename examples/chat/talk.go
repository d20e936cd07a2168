package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/chat"
	"github.com/coterie-go/coterie/moe/tokenizer"
)

type config struct {
	template, system, file string
	think, decorate        bool
	sampling               moe.Sampling
}

// talk is a conversation.
type talk struct {
	config
	m        *moe.Model
	tok      *tokenizer.Tokenizer
	chat     *chat.Template
	state    *moe.State
	messages []chat.Message
}

// plainTemplate is for models that were not made for conversations.
const plainTemplate = "{% for m in messages %}{{ m.content }}\n{% endfor %}"

func newTalk(m *moe.Model, c config) (*talk, error) {
	t := &talk{config: c, m: m, state: m.NewState()}
	var err error
	if t.tok, err = m.Tokenizer(); err != nil {
		return nil, err
	}
	src := m.ChatTemplate()
	if c.template != "" {
		b, err := os.ReadFile(c.template)
		if err != nil {
			return nil, err
		}
		src = string(b)
	}
	if src == "" {
		src = plainTemplate
	}
	if t.chat, err = chat.Parse(src); err != nil {
		return nil, err
	}
	t.reset(c.system)
	if c.file == "" {
		return t, nil
	}
	return t, t.load()
}

func (t *talk) reset(system string) {
	t.messages = nil
	if system != "" {
		t.messages = []chat.Message{{Role: "system", Content: system}}
	}
}

// loop reads questions and writes answers, until the input ends or an interrupt
// comes while nothing is being answered.
func (t *talk) loop(ctx context.Context, in io.Reader, out io.Writer, interrupts <-chan os.Signal) error {
	lines := make(chan string)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(in)
		s.Buffer(nil, 16<<20)
		for s.Scan() {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
		failed <- s.Err()
	}()
	for {
		question, ok := t.read(out, lines, interrupts)
		if !ok {
			select {
			case err := <-failed:
				return err
			default: // an interrupt
				return nil
			}
		}
		if question == "" {
			continue
		}
		if err := t.turn(ctx, out, question, interrupts); err != nil {
			return err
		}
		if t.file != "" {
			if err := t.save(); err != nil {
				return err
			}
		}
	}
}

// read returns the next question, which may have several lines.
func (t *talk) read(out io.Writer, lines <-chan string, interrupts <-chan os.Signal) (string, bool) {
	prompt := "> "
	var question string
	for {
		if t.decorate {
			fmt.Fprint(out, prompt)
		}
		select {
		case line, ok := <-lines:
			if !ok {
				return question, question != ""
			}
			if head, more := strings.CutSuffix(line, "\\"); more {
				question, prompt = question+head+"\n", "  "
				continue
			}
			return question + line, true
		case <-interrupts:
			if t.decorate {
				fmt.Fprintln(out)
			}
			return "", false
		}
	}
}

// turn carries out a line of input.
func (t *talk) turn(ctx context.Context, out io.Writer, line string, interrupts <-chan os.Signal) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "/help":
		fmt.Fprintln(out, "/undo, /again, /reset, /system TEXT; Control-C breaks off an answer")
		return nil
	case "/reset":
		t.reset(t.system)
		return nil
	case "/system":
		t.system = strings.TrimSpace(rest)
		t.reset(t.system)
		return nil
	case "/undo":
		t.undo()
		return nil
	case "/again":
		question := t.undo()
		if question == "" {
			return nil
		}
		t.sampling.Seed++
		line = question
	default:
		if strings.HasPrefix(line, "/") {
			fmt.Fprintf(out, "no instruction %s; /help lists them\n", word)
			return nil
		}
	}
	t.messages = append(t.messages, chat.Message{Role: "user", Content: line})
	err := t.answer(ctx, out, interrupts)
	if errors.Is(err, moe.ErrContext) {
		t.undo()
		fmt.Fprintln(out, "the conversation has become longer than the model's context: /reset begins a new one, /undo makes room")
		return nil
	}
	return err
}

// undo forgets the last question and what came after it, and returns it.
func (t *talk) undo() string {
	for i := len(t.messages) - 1; i >= 0; i-- {
		if m := t.messages[i]; m.Role == "user" {
			t.messages = t.messages[:i]
			return m.Content
		}
	}
	return ""
}

// answer lets the model answer the last message.
func (t *talk) answer(ctx context.Context, out io.Writer, interrupts <-chan os.Signal) error {
	q := chat.Request{Messages: t.messages, Vars: map[string]any{"enable_thinking": t.think, "thinking": t.think}}
	if id, ok := t.tok.BOS(); ok {
		q.BOS = t.tok.Token(id)
	}
	if id, ok := t.tok.EOS(); ok {
		q.EOS = t.tok.Token(id)
	}
	prompt, err := t.chat.Render(ctx, q)
	if err != nil {
		return err
	}
	ids, err := t.rest(prompt)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-interrupts:
			cancel()
		case <-done:
		}
	}()
	w := &writer{out: out, decorate: t.decorate}
	parser := t.chat.Parser(prompt)
	start, tokens := time.Now(), 0
	for tok, err := range t.m.GenerateTokens(ctx, t.state, ids, t.sampling) {
		if errors.Is(err, context.Canceled) {
			break
		}
		if err != nil {
			w.end()
			return err
		}
		if tokens++; tokens == 1 {
			start = time.Now()
		}
		w.write(parser.Next(tok.Text))
	}
	w.write(parser.Flush())
	w.end()
	if s := time.Since(start).Seconds(); t.decorate && tokens > 1 && s > 0 {
		fmt.Fprintf(out, "\x1b[2m%d tokens, %.0f a second; %d of %d in context\x1b[0m\n", tokens, float64(tokens-1)/s, t.state.Len(), t.m.Config().Context)
	}
	t.messages = append(t.messages, chat.Message{Role: "assistant", Content: w.content.String(), Reasoning: w.reasoning.String()})
	return nil
}

// rest brings the state to the longest beginning of a prompt that it has seen, and
// returns the tokens that are left.
func (t *talk) rest(prompt string) ([]int32, error) {
	ids := t.tok.Encode(prompt, true, true)
	if bos, ok := t.tok.BOS(); ok && len(ids) > 1 && ids[0] == bos && ids[1] == bos {
		ids = ids[1:] // templates mostly spell the begin token
	}
	seen, n := t.state.Tokens(), 0
	for n < len(seen) && n < len(ids)-1 && seen[n] == ids[n] {
		n++
	}
	marks := append(t.state.Checkpoints(), n) // where a model cannot go back to everywhere
	for i := len(marks) - 1; i >= 0; i-- {
		if marks[i] <= n && t.state.Truncate(marks[i]) == nil {
			return ids[marks[i]:], t.state.Checkpoint()
		}
	}
	t.state = t.m.NewState()
	return ids, nil
}

// writer shows the parts of an answer as they come, and keeps them.
type writer struct {
	out                io.Writer
	decorate, thinking bool
	content, reasoning strings.Builder
}

func (w *writer) write(d chat.Delta) {
	if d.Reasoning != "" {
		if w.decorate && !w.thinking {
			fmt.Fprint(w.out, "\x1b[2m")
			w.thinking = true
		}
		if w.decorate { // in a pipe only what is said
			fmt.Fprint(w.out, d.Reasoning)
		}
		w.reasoning.WriteString(d.Reasoning)
	}
	if d.Content != "" {
		if w.thinking {
			fmt.Fprint(w.out, "\x1b[0m\n\n")
			w.thinking = false
		}
		fmt.Fprint(w.out, d.Content)
		w.content.WriteString(d.Content)
	}
	for _, c := range d.Calls {
		fmt.Fprintf(w.out, "\n[%s %s]", c.Name, c.Arguments)
	}
}

func (w *writer) end() {
	if w.thinking {
		fmt.Fprint(w.out, "\x1b[0m")
	}
	fmt.Fprintln(w.out)
}
