package tokenizer

import (
	"fmt"
	"math"
	"strings"
)

// FromGGUF reads a tokenizer from the metadata of a GGUF file, by key. Values are of the Go type that corresponds to the file's: string,
// bool, uint32, float32 and so on, and slices of these.
//
// Models are gpt2 (byte-level pairs), llama (SentencePiece pairs) and t5 (unigram). Errors wrap [ErrNoTokenizer] for a file without
// one, [ErrPreTokenizer] for a tokenizer.ggml.pre that is missing or not known, [ErrUnsupported] for another model and [ErrFormat] for a
// file that contradicts itself.
func FromGGUF(kv map[string]any) (*Tokenizer, error) {
	g := &metadata{kv: kv}
	name := g.string("model")
	if g.err != nil {
		return nil, g.err
	}
	t := &Tokenizer{vocab: &vocab{}, classes: newClasses()}
	var err error
	defaults := bounds{bos: -1, eos: -1}
	switch name {
	case "", "none", "no_vocab":
		return nil, fmt.Errorf("%w: tokenizer.ggml.model is %q", ErrNoTokenizer, name)
	case "gpt2":
		defaults.addBOS, err = g.buildPairs(t)
	case "llama":
		defaults = bounds{bos: 1, eos: 2, addBOS: true}
		err = g.buildScored(t)
	case "t5":
		defaults.addEOS = true
		err = g.buildUnigram(t)
	default:
		err = fmt.Errorf("%w: tokenizer.ggml.model is %q, expected gpt2, llama or t5", ErrUnsupported, name)
	}
	if err == nil {
		err = g.setBounds(t, defaults)
	}
	if err == nil {
		err = g.err
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// bounds is what begins and ends a text.
type bounds struct {
	bos, eos       int32
	addBOS, addEOS bool
}

// setVocab reads tokens and their types.
func (g *metadata) setVocab(t *Tokenizer) error {
	tokens, types := g.strings("tokens"), g.integers("token_type")
	if g.err != nil {
		return g.err
	}
	if len(tokens) == 0 || len(tokens) > math.MaxInt32 {
		return fmt.Errorf("%w: tokenizer.ggml.tokens has %d tokens", ErrFormat, len(tokens))
	}
	if types != nil && len(types) != len(tokens) {
		return fmt.Errorf("%w: tokenizer.ggml.token_type has %d values for %d tokens", ErrFormat, len(types), len(tokens))
	}
	v := t.vocab
	v.setSize(len(tokens))
	for i, text := range tokens {
		id, k := int32(i), normal
		if types != nil {
			if types[i] < 0 || types[i] > int64(octet) {
				return fmt.Errorf("%w: tokenizer.ggml.token_type of token %d is %d, expected 1 to %d", ErrFormat, i, types[i], octet)
			}
			if k = kind(types[i]); k == absent { // "undefined"
				k = normal
			}
		}
		if _, ok := parseOctet(text); k == octet && !ok {
			return fmt.Errorf("%w: byte token %d is spelled %q, expected <0x and two hexadecimal digits and >", ErrFormat, i, text)
		}
		if err := v.set(id, text, k); err != nil {
			return err
		}
	}
	v.compact()
	if err := v.buildIndex(); err != nil {
		return err
	}
	var list []added
	for i, k := range v.kind {
		// Tokens that vocab.set has made text because they spell no bytes are not looked for.
		if declared := types != nil && kind(types[i]) == k; declared && (k == user || k.special()) {
			list = append(list, added{text: v.text[i], id: int32(i), special: k.special()})
		}
	}
	g.markStripping(list)
	var err error
	if t.early, err = newMatcher(list); err == nil {
		t.late, err = newMatcher(nil)
	}
	return err
}

// markStripping restores what GGUF has no field for: Phi-3's markers take the white space after them along.
func (g *metadata) markStripping(list []added) {
	name := strings.ToLower(g.optional("general.name"))
	if !strings.Contains(name, "phi-3") && !strings.Contains(name, "phi3") {
		return
	}
	for i := range list {
		switch a := &list[i]; a.text {
		case "<unk>", "<s>", "<|endoftext|>":
		default:
			a.rstrip = a.special || a.text == "</s>"
		}
	}
}

// buildPairs reads a byte-level vocabulary. addBOS is the default of the pre-tokenizer.
func (g *metadata) buildPairs(t *Tokenizer) (addBOS bool, err error) {
	name := g.string("pre")
	p, ok := preOf(name)
	if !ok {
		return false, fmt.Errorf("%w: tokenizer.ggml.pre is %q", ErrPreTokenizer, name)
	}
	for _, s := range p.scanners {
		t.split = append(t.split, stage{scanner: s})
	}
	if p.compose {
		t.norm = append(t.norm, newNFC(t.classes).normalize)
	}
	t.vocab.byteLevel = true
	if err := g.setVocab(t); err != nil {
		return false, err
	}
	merges := g.strings("merges")
	rule := newPairs(len(merges))
	for i, m := range merges {
		cut := 0
		if m != "" {
			cut = 1 + strings.IndexByte(m[1:], ' ') // a part may begin with a space
		}
		if cut <= 0 {
			return false, fmt.Errorf("%w: tokenizer.ggml.merges[%d] is %q, expected two parts", ErrFormat, i, m)
		}
		if err := rule.addSpelled(t.vocab, m[:cut], m[cut+1:]); err != nil {
			return false, fmt.Errorf("tokenizer.ggml.merges: %w", err)
		}
	}
	m := newBPE(t.vocab, rule)
	m.ignoreMerges = p.ignoreMerges
	t.model = m
	return p.addBOS, nil
}

// scores reads the scores, one a token.
func (g *metadata) scores(t *Tokenizer) ([]float32, error) {
	scores := g.floats("scores")
	if g.err != nil {
		return nil, g.err
	}
	if len(scores) != len(t.vocab.kind) {
		return nil, fmt.Errorf("%w: tokenizer.ggml.scores has %d values for %d tokens", ErrFormat, len(scores), len(t.vocab.kind))
	}
	for i, s := range scores {
		if s != s {
			return nil, fmt.Errorf("%w: tokenizer.ggml.scores[%d] is not a number", ErrFormat, i)
		}
	}
	return scores, nil
}

// buildScored reads a SentencePiece vocabulary of pairs.
func (g *metadata) buildScored(t *Tokenizer) error {
	if err := g.setVocab(t); err != nil {
		return err
	}
	scores, err := g.scores(t)
	if err != nil {
		return err
	}
	if g.flag("add_space_prefix", true) {
		t.norm = append(t.norm, prepend(metaspace))
		t.dropSpace = true
	}
	t.norm = append(t.norm, replace(" ", metaspace))
	rule := &scored{t.vocab, make([]uint32, len(scores))}
	for i, s := range scores {
		rule.rank[i] = rankOf(s)
	}
	m := newBPE(t.vocab, rule)
	m.bytes, m.byteFallback = t.vocab.octets()
	if m.unknown, err = g.token(t, "unknown_token_id", 0); err != nil {
		return err
	}
	t.model = m
	return nil
}

// buildUnigram reads a SentencePiece vocabulary of single tokens.
func (g *metadata) buildUnigram(t *Tokenizer) error {
	if err := g.setVocab(t); err != nil {
		return err
	}
	scores, err := g.scores(t)
	if err != nil {
		return err
	}
	if g.kv[ggml+"precompiled_charsmap"] != nil {
		return fmt.Errorf("%w: tokenizer.ggml.precompiled_charsmap", ErrUnsupported)
	}
	if g.flag("remove_extra_whitespaces", false) {
		t.norm = append(t.norm, collapse)
	}
	if g.flag("add_space_prefix", false) {
		t.norm = append(t.norm, prepend(metaspace))
		t.dropSpace = true
	}
	t.norm = append(t.norm, replace(" ", metaspace))
	unk, err := g.token(t, "unknown_token_id", 2)
	if err != nil {
		return err
	}
	t.model = newUnigram(t.vocab, scores, unk)
	return nil
}

// setBounds reads what begins and ends a text and a turn.
func (g *metadata) setBounds(t *Tokenizer, b bounds) error {
	bos, err := g.token(t, "bos_token_id", b.bos)
	if err != nil {
		return err
	}
	eos, err := g.token(t, "eos_token_id", b.eos)
	if err != nil {
		return err
	}
	var pre, suf []int32
	if g.flag("add_bos_token", b.addBOS) && bos >= 0 {
		pre = []int32{bos}
	}
	if g.flag("add_eos_token", b.addEOS) && eos >= 0 {
		suf = []int32{eos}
	}
	t.setBounds(bos, eos, pre, suf)
	for _, key := range []string{"eot_token_id", "eom_token_id"} {
		id, err := g.token(t, key, -1)
		if err != nil {
			return err
		}
		if id >= 0 {
			t.eog[id] = true
		}
	}
	return nil
}

// token reads a token id. The default is taken if the key is missing, -1 if there is no such token either.
func (g *metadata) token(t *Tokenizer, key string, missing int32) (int32, error) {
	id, ok := g.integer(key)
	if !ok {
		if !t.vocab.has(missing) {
			missing = -1
		}
		return missing, g.err
	}
	if id != int64(int32(id)) || !t.vocab.has(int32(id)) {
		return 0, fmt.Errorf("%w: tokenizer.ggml.%s is %d, the vocabulary has %d", ErrFormat, key, id, len(t.vocab.kind))
	}
	return int32(id), nil
}
