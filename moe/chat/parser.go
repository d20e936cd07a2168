package chat

import (
	"encoding/json"
	"fmt"
	"strings"
)

// format is how a model marks the parts of an answer.
type format struct {
	harmony     bool   // channels between <|channel|> and <|end|>
	open, close string // around reasoning; empty for none
	jsonCalls   bool   // <tool_call>{"name": ..., "arguments": ...}</tool_call>
}

// formatOf tells a format from what the template writes for earlier answers.
func formatOf(src string) format {
	if strings.Contains(src, "<|channel|>") && strings.Contains(src, "<|start|>") {
		return format{harmony: true}
	}
	f := format{jsonCalls: strings.Contains(src, "<tool_call>") && strings.Contains(src, `"arguments`) || strings.Contains(src, `<tool_call>\n{\"name`)}
	for _, p := range [][2]string{{"<think>", "</think>"}, {"<seed:think>", "</seed:think>"}, {"[THINK]", "[/THINK]"}} {
		if strings.Contains(src, p[1]) {
			f.open, f.close = p[0], p[1]
			break
		}
	}
	return f
}

// Delta is what a piece of text adds to an answer.
type Delta struct {
	Content   string
	Reasoning string
	Calls     []ToolCall // complete ones
}

// Parser takes an answer apart as it comes. It never shows a part of a mark.
type Parser struct {
	f       format
	part    part
	held    string
	header  string // harmony: between <|start|> and <|message|>
	call    strings.Builder
	begun   bool // something of the part but white space has been shown
	answers bool // reasoning is over
	calls   int
}

type part uint8

const (
	content part = iota
	reasoning
	calling  // the text of a call
	heading  // harmony: between <|start|> and <|message|>
	skipping // harmony: messages to nobody
)

// Parser returns a parser of the answer to a prompt, which may end within the
// reasoning. The texts that it is given must spell special tokens.
func (t *Template) Parser(prompt string) *Parser {
	p := &Parser{f: t.format}
	prompt = strings.TrimRight(prompt, " \n")
	switch {
	case p.f.harmony:
		p.part = heading
	case p.f.open != "" && strings.HasSuffix(prompt, p.f.open):
		p.part = reasoning
	case p.f.open != "" && strings.HasSuffix(prompt, p.f.close):
		p.answers = true
	}
	return p
}

// Next returns what text adds.
func (p *Parser) Next(text string) Delta {
	var d Delta
	p.held += text
	for {
		marks := p.marks()
		at, mark := -1, ""
		for _, m := range marks {
			i := strings.Index(p.held, m)
			if m == p.f.open && i > 0 && strings.TrimSpace(p.held[:i]) != "" {
				continue // reasoning comes first or not at all
			}
			if i >= 0 && (at < 0 || i < at) {
				at, mark = i, m
			}
		}
		if at < 0 {
			show := p.trimmed(p.held[:len(p.held)-partial(p.held, marks)])
			p.take(&d, show)
			p.held = p.held[len(show):]
			return d
		}
		p.take(&d, p.trimmed(p.held[:at]))
		p.held = p.held[at+len(mark):]
		p.mark(&d, mark)
	}
}

// trimmed is text without white space at its end, which in reasoning may turn out
// to stand before the mark that ends it.
func (p *Parser) trimmed(text string) string {
	if p.part == reasoning {
		return strings.TrimRight(text, " \n")
	}
	return text
}

// Flush returns what is still held back, when no more will come. A call that was
// cut off is content, as far as it goes.
func (p *Parser) Flush() Delta {
	var d Delta
	p.take(&d, p.held)
	p.held = ""
	if p.part == calling {
		p.endCall(&d)
	}
	return d
}

// InContent reports whether what comes next belongs to the content, as far as can
// be told yet.
func (p *Parser) InContent() bool { return p.part == content }

// partial returns the length of the longest end of s that begins one of marks.
func partial(s string, marks []string) int {
	keep := 0
	for _, m := range marks {
		for n := min(len(m)-1, len(s)); n > keep; n-- {
			if strings.HasSuffix(s, m[:n]) {
				keep = n
			}
		}
	}
	return keep
}

// marks lists what ends the current part.
func (p *Parser) marks() []string {
	switch {
	case p.f.harmony && p.part == heading:
		return []string{"<|message|>", "<|end|>"}
	case p.f.harmony:
		return []string{"<|end|>", "<|call|>", "<|return|>", "<|start|>"}
	case p.part == reasoning:
		return []string{p.f.close}
	case p.part == calling:
		return []string{"</tool_call>"}
	}
	var m []string
	if p.f.open != "" && !p.answers && !p.begun {
		m = append(m, p.f.open)
	}
	if p.f.jsonCalls {
		m = append(m, "<tool_call>")
	}
	return m
}

// mark goes on to the part that a mark begins.
func (p *Parser) mark(d *Delta, mark string) {
	switch {
	case mark == "<|message|>":
		p.part = p.channel()
	case p.f.harmony:
		if p.part == calling {
			p.endCall(d)
		}
		p.part, p.header = heading, ""
	case mark == p.f.open:
		p.part = reasoning
	case mark == p.f.close:
		p.part, p.answers = content, true
	case mark == "<tool_call>":
		p.part = calling
	case mark == "</tool_call>":
		p.endCall(d)
		p.part = content
	}
	p.begun = false
}

// channel reads a header such as "<|channel|>commentary to=functions.f <|constrain|>json".
func (p *Parser) channel() part {
	if p.recipient() != "" {
		return calling
	}
	_, name, _ := strings.Cut(p.header, "<|channel|>")
	name, _, _ = strings.Cut(strings.TrimSpace(name), " ")
	name, _, _ = strings.Cut(name, "<|")
	switch name {
	case "analysis":
		return reasoning
	case "final", "commentary", "":
		return content
	}
	return skipping
}

// recipient returns the function that a message is for.
func (p *Parser) recipient() string {
	_, to, ok := strings.Cut(p.header, "to=")
	if !ok {
		return ""
	}
	to, _, _ = strings.Cut(to, " ")
	to, _, _ = strings.Cut(to, "<|")
	return strings.TrimPrefix(to, "functions.")
}

// take adds text to the current part. White space that templates put around
// reasoning does not belong to it.
func (p *Parser) take(d *Delta, text string) {
	if p.part == heading {
		p.header += text
		return
	}
	if p.part == calling {
		p.call.WriteString(text)
		return
	}
	if !p.begun && (p.part == reasoning || p.f.open != "") {
		text = strings.TrimLeft(text, " \n")
	}
	if strings.TrimSpace(text) != "" {
		p.begun = true
	}
	switch p.part {
	case reasoning:
		d.Reasoning += text
	case content:
		d.Content += text
	}
}

// endCall adds the call that was read.
func (p *Parser) endCall(d *Delta) {
	text := strings.TrimSpace(p.call.String())
	p.call.Reset()
	p.calls++
	c := ToolCall{ID: fmt.Sprintf("call_%d", p.calls)}
	if p.f.harmony {
		c.Name, c.Arguments = p.recipient(), text
		d.Calls = append(d.Calls, c)
		return
	}
	var v struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	}
	if json.Unmarshal([]byte(text), &v) != nil || v.Name == "" {
		d.Content += "<tool_call>" + text
		return
	}
	c.Name, c.Arguments = v.Name, string(v.Arguments)
	d.Calls = append(d.Calls, c)
}
