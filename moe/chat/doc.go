// Package chat turns a conversation into a prompt, by the template that a
// checkpoint brings, and what a model answers into its parts: what it says, what it
// thinks first, which functions it wants called.
//
//	t, err := chat.Parse(model.ChatTemplate())
//	prompt, err := t.Render(ctx, chat.Request{Messages: history})
//	p := t.Parser(prompt)
//	for tok, err := range model.Generate(ctx, state, prompt, moe.Sampling{Special: true}) {
//		d := p.Next(tok.Text)
//		fmt.Print(d.Content)
//	}
//	d := p.Flush()
//
// Templates are programs from strangers, in Jinja. They are run by an interpreter
// of this package's own that has access to nothing and bounds steps, memory and
// depth; see internal/jinja for why not by a library. A prompt is one text in
// which special tokens are spelled, so a message that spells one forges it, as with
// every program that uses these templates; where messages come from strangers
// remove such spellings first ([Clean]).
//
// The package imports no other of this module.
package chat
