package moe

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/moe/tokenizer"
)

// Token is one token of a generated text.
type Token struct {
	ID int32

	// Text is what the token adds to the text. It is held back, to come with a later
	// token, while it is less than a character or may be the beginning of a Stop.
	Text string

	// LogProb is the logarithm of the probability that the model gave the token, and
	// Top those of the likeliest: before biases, penalties and temperature. Of an
	// echoed prompt the first token has none, 0, if nothing is before it.
	LogProb float32
	Top     []TokenProb

	Prompt bool   // the token is echoed
	Finish Finish // set in the last token
}

// TokenProb is a token and the logarithm of its probability.
type TokenProb struct {
	ID      int32
	LogProb float32
}

// Finish says why a text ended.
type Finish uint8

const (
	Unfinished    Finish = iota
	FinishEnd            // the model ended it, or one of StopTokens was chosen
	FinishStop           // one of Stop came up
	FinishLength         // MaxTokens
	FinishContext        // the model's context is full
)

func (f Finish) String() string {
	return [...]string{"unfinished", "end", "stop", "length", "context"}[f%5]
}

// Generate continues s with prompt and yields what the model says next, token by
// token. Special tokens spelled out in the prompt are understood as such, so
// text of strangers belongs in GenerateTokens, encoded without them. If s is empty
// the token that begins a text is put first, unless the prompt spells it.
//
// The last token has Finish set: it is one that ends the text, which has no Text of
// its own, or the one with which a limit was reached. An error comes alone, with
// an empty Token, and is the last. Afterwards, or once the caller breaks off, s
// holds the prompt and the tokens yielded but the last.
func (m *Model) Generate(ctx context.Context, s *State, prompt string, opt Sampling) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		t, err := m.Tokenizer()
		if err != nil {
			yield(Token{}, err)
			return
		}
		m.GenerateTokens(ctx, s, promptTokens(t, prompt, s.Len() == 0), opt)(yield)
	}
}

// promptTokens encodes a prompt. A chat template often spells the begin token
// that the tokenizer would add; twice is once too many.
func promptTokens(t *tokenizer.Tokenizer, prompt string, begin bool) []int32 {
	ids := t.Encode(prompt, begin, true)
	if bos, ok := t.BOS(); ok && begin && len(ids) > 1 && ids[0] == bos && ids[1] == bos {
		ids = ids[1:]
	}
	return ids
}

// GenerateTokens is Generate for a prompt in tokens, taken as they are. It needs
// no tokenizer, but then Text stays empty.
func (m *Model) GenerateTokens(ctx context.Context, s *State, ids []int32, opt Sampling) iter.Seq2[Token, error] {
	return m.generate(ctx, m.Forward, s, ids, opt)
}

// generate is the loop: forward gives the logits after the tokens it is sent.
func (m *Model) generate(ctx context.Context, forward forwardFunc, s *State, ids []int32, opt Sampling) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		if err := opt.validate(m.cfg.Vocab); err != nil {
			yield(Token{}, err)
			return
		}
		g, err := m.newGenerator(s, ids, opt)
		if err != nil {
			yield(Token{}, err)
			return
		}
		if err := m.checkTokens(ids); err != nil {
			yield(Token{}, err)
			return
		}
		if opt.Echo && len(ids) > 0 {
			if !g.echo(ctx, ids, yield) {
				return
			}
			ids = ids[len(ids)-1:]
		}
		for {
			logits, err := forward(ctx, s, ids)
			if err != nil {
				yield(Token{}, err)
				return
			}
			tok, err := g.next(logits)
			if err != nil {
				yield(Token{}, err)
				return
			}
			if !yield(tok, nil) || tok.Finish != Unfinished {
				return
			}
			ids = append(g.one[:0], tok.ID)
		}
	}
}

type forwardFunc func(ctx context.Context, s *State, ids []int32) ([]float32, error)

// generator is one run of generate.
type generator struct {
	m       *Model
	s       *State
	tok     *tokenizer.Tokenizer // nil without
	sampler *sampler
	text    *textOut
	ends    map[int32]bool
	probs   []float32 // (Vocab)
	one     [1]int32
	made    int
}

func (m *Model) newGenerator(s *State, prompt []int32, opt Sampling) (*generator, error) {
	t, err := m.Tokenizer()
	if err != nil && (len(opt.Stop) > 0 || !errors.Is(err, tokenizer.ErrNoTokenizer)) {
		return nil, err
	}
	g := &generator{m: m, s: s, tok: t, text: newTextOut(t, opt, prompt), ends: m.endTokens()}
	g.sampler = newSampler(opt, prompt, g.ends)
	return g, nil
}

// endTokens returns the tokens with which the model ends a text.
func (m *Model) endTokens() map[int32]bool {
	m.endOnce.Do(func() {
		m.ends = map[int32]bool{}
		for _, id := range m.cfg.EOS {
			if id >= 0 && int(id) < m.cfg.Vocab {
				m.ends[id] = true
			}
		}
		t, err := m.Tokenizer()
		if err != nil {
			return
		}
		for id := range int32(min(t.VocabSize(), m.cfg.Vocab)) {
			if t.EOG(id) {
				m.ends[id] = true
			}
		}
	})
	return m.ends
}

// next chooses a token and works out what of its text can be shown.
func (g *generator) next(logits []float32) (Token, error) {
	o := &g.sampler.opt
	id, err := g.sampler.choose(logits)
	if err != nil {
		return Token{}, err
	}
	g.made++
	tok := Token{ID: id}
	tok.LogProb, tok.Top = g.score(logits, id)
	switch {
	case g.ends[id] && !o.IgnoreEnd || slices.Contains(o.StopTokens, id):
		tok.Text, tok.Finish = g.text.rest(), FinishEnd
		return tok, nil
	case g.made == o.MaxTokens:
		tok.Finish = FinishLength
	case g.s.full():
		tok.Finish = FinishContext
	}
	stopped := false
	if tok.Text, stopped = g.text.next(id); stopped {
		tok.Finish = FinishStop
	} else if tok.Finish != Unfinished {
		tok.Text += g.text.rest()
	}
	return tok, nil
}

// score returns the log-probability of id and of the likeliest tokens.
func (g *generator) score(logits []float32, id int32) (float32, []TokenProb) {
	if len(g.probs) < len(logits) {
		g.probs = make([]float32, len(logits))
	}
	norm := logNorm(g.probs, logits)
	n := g.sampler.opt.TopLogProbs
	if n == 0 {
		return logits[id] - norm, nil
	}
	c := g.sampler.cand[:0]
	for i, v := range logits {
		c = append(c, candidate{int32(i), v})
	}
	g.sampler.cand = c
	list := make([]TokenProb, best(c, func(k int) bool { return k == n }))
	for i := range list {
		list[i] = TokenProb{c[i].id, c[i].logit - norm}
	}
	return logits[id] - norm, list
}

// logNorm returns the logarithm of the sum of e**logit, by way of the greatest
// probability. scratch is as long as logits.
func logNorm(scratch, logits []float32) float32 {
	kernels.Softmax(scratch, logits)
	return slices.Max(logits) - float32(ln(float64(slices.Max(scratch))))
}

// echo sends the prompt but for its last token through the model, yields all of
// it, and reports whether the caller goes on.
func (g *generator) echo(ctx context.Context, ids []int32, yield func(Token, error) bool) bool {
	toks := make([]Token, len(ids))
	for i, id := range ids {
		toks[i] = Token{ID: id, Prompt: true}
	}
	if n := len(ids) - 1; n > 0 {
		step := [1]Step{{State: g.s, Tokens: ids[:n], each: func(i int, logits []float32) {
			toks[i+1].LogProb, toks[i+1].Top = g.score(logits, ids[i+1])
		}}}
		if err := g.m.ForwardBatch(ctx, step[:]); err != nil {
			yield(Token{}, err)
			return false
		}
	}
	text := newTextOut(g.tok, Sampling{Special: g.sampler.opt.Special}, nil)
	for i := range toks {
		toks[i].Text, _ = text.next(ids[i])
		if i == len(toks)-1 {
			toks[i].Text += text.rest()
		}
		if !yield(toks[i], nil) {
			return false
		}
	}
	return true
}
