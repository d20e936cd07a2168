package tokenizer

import (
	"encoding/json"
	"fmt"
)

func (t *Tokenizer) addNormalizer(c component) error {
	switch {
	case c.Type == "NFC":
		t.norm = append(t.norm, newNFC(t.classes).normalize)
	case c.Type == "Prepend":
		t.norm = append(t.norm, prepend(c.Prepend))
	case c.Type == "Replace" && c.Pattern.String != "":
		t.norm = append(t.norm, replace(c.Pattern.String, c.Content))
	case c.Type == "Replace":
		return fmt.Errorf("%w: normalizer Replace of the pattern %q", ErrUnsupported, c.Pattern.Regex)
	default:
		return fmt.Errorf("%w: normalizer %q", ErrUnsupported, c.Type)
	}
	return nil
}

func (t *Tokenizer) addPreTokenizer(c component) error {
	if t.vocab.byteLevel {
		return t.addAfterBytes(c)
	}
	add := func(s scanner) { t.split = append(t.split, stage{scanner: s}) }
	switch c.Type {
	case "ByteLevel":
		if yes(c.AddPrefixSpace) {
			if len(t.split) > 0 {
				return fmt.Errorf("%w: ByteLevel with add_prefix_space after %d others", ErrPreTokenizer, len(t.split))
			}
			t.lead = lead{text: " "}
		}
		if yes(c.UseRegex) {
			add(gpt2{})
		}
		t.vocab.byteLevel = true
	case "Metaspace":
		return t.addMetaspace(c)
	case "Split":
		return t.addSplit(c)
	case "Digits":
		if c.IndividualDigits {
			add(number1)
		} else {
			add(numbers)
		}
	case "Punctuation":
		switch c.Behavior {
		case "Contiguous":
			add(marks{unlimited})
		case "Isolated", "":
			add(marks{1})
		default:
			return fmt.Errorf("%w: Punctuation with behavior %q", ErrPreTokenizer, c.Behavior)
		}
	case "Whitespace":
		t.split = append(t.split, stage{scanner: wordsAndSigns{}, dropRest: true})
	case "WhitespaceSplit":
		t.split = append(t.split, stage{scanner: notBlank{}, dropRest: true})
	default:
		return fmt.Errorf("%w: %q", ErrPreTokenizer, c.Type)
	}
	return nil
}

// addAfterBytes adds a step that sees, not text, but the characters that spell its bytes. Falcon has two such.
func (t *Tokenizer) addAfterBytes(c component) error {
	switch {
	case c.Type == "Digits" && !c.IndividualDigits:
		t.split = append(t.split, stage{scanner: spelledNumbers{}})
	case c.Type == "Split" && c.Pattern.Regex == "[0-9][0-9][0-9]" && c.Behavior == "Isolated":
		t.split = append(t.split, stage{scanner: threeDigits{}})
	default:
		return fmt.Errorf("%w: %q %q after ByteLevel", ErrPreTokenizer, c.Type, c.Pattern.Regex+c.Pattern.String)
	}
	return nil
}

func (t *Tokenizer) addMetaspace(c component) error {
	if c.Replacement != metaspace || len(t.split) > 0 {
		return fmt.Errorf("%w: Metaspace with replacement %q after %d others", ErrPreTokenizer, c.Replacement, len(t.split))
	}
	t.norm = append(t.norm, replace(" ", metaspace))
	scheme := c.PrependScheme
	if scheme == "" { // files before 2024
		scheme = "never"
		if yes(c.AddPrefixSpace) {
			scheme = "always"
		}
	}
	switch scheme {
	case "always", "first":
		t.lead = lead{metaspace, scheme == "first"}
	case "never":
	default:
		return fmt.Errorf("%w: Metaspace with prepend_scheme %q", ErrPreTokenizer, scheme)
	}
	if yes(c.SplitWords) {
		t.split = append(t.split, stage{scanner: before{metaspace}})
	}
	return nil
}

func (t *Tokenizer) addSplit(c component) error {
	if text := c.Pattern.String; text != "" {
		switch {
		case c.Behavior == "MergedWithPrevious" && !c.Invert:
			t.split = append(t.split, stage{scanner: after{text}})
		case c.Behavior == "MergedWithNext" && !c.Invert:
			t.split = append(t.split, stage{scanner: before{text}})
		default:
			return fmt.Errorf("%w: Split at %q with behavior %q", ErrPreTokenizer, text, c.Behavior)
		}
		return nil
	}
	s := scannerOf(c.Pattern.Regex)
	if s == nil {
		return fmt.Errorf("%w: pattern %q", ErrPreTokenizer, c.Pattern.Regex)
	}
	switch {
	case c.Behavior == "Isolated":
		t.split = append(t.split, stage{scanner: s})
	case c.Behavior == "Removed" && c.Invert:
		t.split = append(t.split, stage{scanner: s, dropRest: true})
	default:
		return fmt.Errorf("%w: pattern %q with behavior %q, invert %v", ErrPreTokenizer, c.Pattern.Regex, c.Behavior, c.Invert)
	}
	return nil
}

// setDecoder checks that the decoder is the one that Decode implements: bytes as GPT-2 spells them, or SentencePiece's spaces and bytes.
func (t *Tokenizer) setDecoder(c component) error {
	parts, err := c.list()
	if err != nil {
		return err
	}
	for _, p := range parts {
		ok := false
		switch p.Type {
		case "ByteLevel":
			ok = t.vocab.byteLevel
		case "Metaspace":
			ok = !t.vocab.byteLevel && p.Replacement == metaspace
			t.dropSpace = p.PrependScheme != "never" && (p.PrependScheme != "" || yes(p.AddPrefixSpace))
		case "Replace":
			ok = !t.vocab.byteLevel && p.Pattern.String == metaspace && p.Content == " "
		case "Strip":
			ok = !t.vocab.byteLevel && p.Content == " " && p.Start|1 == 1 && p.Stop == 0
			t.dropSpace = p.Start == 1
		case "ByteFallback", "Fuse":
			ok = !t.vocab.byteLevel
		}
		if !ok {
			return fmt.Errorf("%w: decoder %q", ErrUnsupported, p.Type)
		}
	}
	return nil
}

// template returns what the post-processor puts before and after a single text.
func (f *file) template(v *vocab) (prefix, suffix []int32, err error) {
	parts, err := f.post.list()
	if err != nil {
		return nil, nil, err
	}
	for _, p := range parts {
		switch p.Type {
		case "ByteLevel": // moves offsets, not tokens
			continue
		case "TemplateProcessing":
		default:
			return nil, nil, fmt.Errorf("%w: %q", ErrUnsupported, p.Type)
		}
		into := &prefix
		for _, piece := range p.Single {
			for kind, ref := range piece {
				switch kind {
				case "Sequence":
					into = &suffix
				case "SpecialToken":
					for _, id := range p.SpecialTokens[ref.ID].IDs {
						if id != int64(int32(id)) || !v.has(int32(id)) {
							return nil, nil, fmt.Errorf("%w: %q has id %d, which is no token", ErrFormat, ref.ID, id)
						}
						*into = append(*into, int32(id))
					}
				default:
					return nil, nil, fmt.Errorf("%w: template with a %q", ErrFormat, kind)
				}
			}
		}
	}
	return prefix, suffix, nil
}

// configure applies tokenizer_config.json to what the post-processor says.
func (t *Tokenizer) configure(data []byte, prefix, suffix []int32) error {
	var c struct {
		BOS    tokenName `json:"bos_token"`
		EOS    tokenName `json:"eos_token"`
		AddBOS *bool     `json:"add_bos_token"`
		AddEOS *bool     `json:"add_eos_token"`
	}
	if data != nil {
		if err := json.Unmarshal(data, &c); err != nil {
			return fmt.Errorf("%w: %v", ErrFormat, err)
		}
	}
	find := func(name tokenName) (int32, error) {
		if name == "" {
			return -1, nil
		}
		id, ok := t.vocab.id(string(name))
		if !ok {
			return -1, fmt.Errorf("%w: token %q is not in the vocabulary", ErrFormat, name)
		}
		return id, nil
	}
	bos, err := find(c.BOS)
	if err != nil {
		return fmt.Errorf("bos_token: %w", err)
	}
	eos, err := find(c.EOS)
	if err != nil {
		return fmt.Errorf("eos_token: %w", err)
	}
	if data == nil && len(prefix) > 0 {
		bos = prefix[0]
	}
	if data == nil && len(suffix) > 0 {
		eos = suffix[len(suffix)-1]
	}
	if c.AddBOS != nil && bos >= 0 {
		has := len(prefix) > 0 && prefix[0] == bos
		if *c.AddBOS && !has {
			prefix = append([]int32{bos}, prefix...)
		} else if !*c.AddBOS && has {
			prefix = prefix[1:]
		}
	}
	if c.AddEOS != nil && eos >= 0 {
		last := len(suffix) - 1
		has := last >= 0 && suffix[last] == eos
		if *c.AddEOS && !has {
			suffix = append(suffix, eos)
		} else if !*c.AddEOS && has {
			suffix = suffix[:last]
		}
	}
	t.setBounds(bos, eos, prefix, suffix)
	return nil
}

// tokenName is a token in tokenizer_config.json: its text, or an object with it.
type tokenName string

func (n *tokenName) UnmarshalJSON(data []byte) error {
	var o struct{ Content string }
	if err := json.Unmarshal(data, &o); err == nil {
		*n = tokenName(o.Content)
		return nil
	}
	return json.Unmarshal(data, (*string)(n))
}
