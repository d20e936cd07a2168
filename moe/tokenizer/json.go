package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
)

// FromJSON reads a tokenizer from the hub's tokenizer.json and tokenizer_config.json, which may be nil. The latter names the tokens that
// begin and end a text and may say whether Encode adds them; without it the post-processor of the former decides.
//
// Errors wrap [ErrFormat] for a file that contradicts itself, [ErrPreTokenizer] for a way to split words that is not known, and
// [ErrUnsupported] for other parts that are not implemented.
func FromJSON(tokenizerJSON, tokenizerConfigJSON []byte) (*Tokenizer, error) {
	f, err := readFile(string(tokenizerJSON))
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	t, err := f.build()
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	prefix, suffix, err := f.template(t.vocab)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: post_processor: %w", err)
	}
	if err := t.configure(tokenizerConfigJSON, prefix, suffix); err != nil {
		return nil, fmt.Errorf("tokenizer_config.json: %w", err)
	}
	return t, nil
}

// file is tokenizer.json, its large parts unread.
type file struct {
	added                            []addedToken
	normalizer, split, post, decoder component
	model                            modelFile
}

// addedToken is an element of added_tokens.
type addedToken struct {
	added
	normalized bool
}

// component is a normalizer, pre-tokenizer, post-processor or decoder: the fields of all kinds.
type component struct {
	Type string `json:"type"`

	Normalizers   []component `json:"normalizers"`
	Pretokenizers []component `json:"pretokenizers"`
	Processors    []component `json:"processors"`
	Decoders      []component `json:"decoders"`

	Pattern          struct{ String, Regex string } `json:"pattern"`
	Content          string                         `json:"content"`
	Prepend          string                         `json:"prepend"`
	Behavior         string                         `json:"behavior"`
	Invert           bool                           `json:"invert"`
	IndividualDigits bool                           `json:"individual_digits"`
	AddPrefixSpace   *bool                          `json:"add_prefix_space"`
	UseRegex         *bool                          `json:"use_regex"`
	Replacement      string                         `json:"replacement"`
	PrependScheme    string                         `json:"prepend_scheme"`
	SplitWords       *bool                          `json:"split"`
	Start            int                            `json:"start"`
	Stop             int                            `json:"stop"`

	Single        []map[string]struct{ ID string } `json:"single"`
	SpecialTokens map[string]struct{ IDs []int64 } `json:"special_tokens"`
}

// yes reads an optional flag whose default is true.
func yes(b *bool) bool { return b == nil || *b }

// list returns the parts of a sequence, or c alone, or nothing for null.
func (c component) list() ([]component, error) {
	switch c.Type {
	case "":
		return nil, nil
	case "Sequence":
		var flat []component
		for _, parts := range [][]component{c.Normalizers, c.Pretokenizers, c.Processors, c.Decoders} {
			for _, p := range parts {
				l, err := p.list()
				if err != nil {
					return nil, err
				}
				if p.Type == "" {
					return nil, fmt.Errorf("%w: a part of a sequence has no type", ErrFormat)
				}
				flat = append(flat, l...)
			}
		}
		return flat, nil
	}
	return []component{c}, nil
}

// modelFile is the model, its vocabulary and merges unread.
type modelFile struct {
	kind                                             string
	vocab, merges                                    reader // nothing if missing
	prefix, suffix, unknown                          string
	unknownID                                        int64
	byteFallback, fuseUnknown, ignoreMerges, dropout bool
}

func readFile(s string) (*file, error) {
	f := &file{}
	r := &reader{s: s}
	hasModel := false
	seen := make(map[string]bool)
	r.object(func(key string) {
		if seen[key] {
			r.fail("key %q appears twice", key)
		}
		seen[key] = true
		switch key {
		case "added_tokens":
			f.readAdded(r)
		case "normalizer":
			r.decode(key, &f.normalizer)
		case "pre_tokenizer":
			r.decode(key, &f.split)
		case "post_processor":
			r.decode(key, &f.post)
		case "decoder":
			r.decode(key, &f.decoder)
		case "model":
			hasModel = true
			f.readModel(r)
		default:
			r.skip()
		}
	})
	if err := r.end(); err != nil {
		return nil, err
	}
	if !hasModel {
		return nil, fmt.Errorf("%w: no model", ErrFormat)
	}
	return f, nil
}

// decode reads a small value by package encoding/json.
func (r *reader) decode(key string, v any) {
	raw := r.sub()
	if r.err != nil {
		return
	}
	if err := json.Unmarshal([]byte(raw.s[raw.i:]), v); err != nil {
		r.fail("%s: %v", key, err)
	}
}

func (f *file) readAdded(r *reader) {
	if r.null() {
		return
	}
	f.added = make([]addedToken, 0, r.count())
	r.array(func() {
		var t addedToken
		t.id, t.normalized = -1, true
		r.object(func(key string) {
			switch key {
			case "id":
				t.id = r.id(maxID)
			case "content":
				t.text = r.string()
			case "special":
				t.special = r.bool()
			case "normalized":
				t.normalized = r.bool()
			case "single_word":
				t.singleWord = r.bool()
			case "lstrip":
				t.lstrip = r.bool()
			case "rstrip":
				t.rstrip = r.bool()
			default:
				r.skip()
			}
		})
		if t.id < 0 {
			r.fail("an added token has no id")
		}
		f.added = append(f.added, t)
	})
}

// maxID bounds token ids as such; that they are not far beyond the number of tokens is checked later.
const maxID = 1 << 30

func (f *file) readModel(r *reader) {
	m := &f.model
	m.unknownID = -1
	r.object(func(key string) {
		if key != "type" && r.null() {
			return
		}
		switch key {
		case "type":
			m.kind = r.string()
		case "vocab":
			m.vocab = r.sub()
		case "merges":
			m.merges = r.sub()
		case "unk_token":
			m.unknown = r.string()
		case "unk_id":
			m.unknownID = int64(r.id(maxID))
		case "continuing_subword_prefix":
			m.prefix = r.string()
		case "end_of_word_suffix":
			m.suffix = r.string()
		case "byte_fallback":
			m.byteFallback = r.bool()
		case "fuse_unk":
			m.fuseUnknown = r.bool()
		case "ignore_merges":
			m.ignoreMerges = r.bool()
		case "dropout":
			m.dropout = r.float() != 0
		default:
			r.skip()
		}
	})
}

// build makes the tokenizer, all but what begins and ends a text.
func (f *file) build() (*Tokenizer, error) {
	t := &Tokenizer{vocab: &vocab{}, classes: newClasses()}
	norm, err := f.normalizer.list()
	if err != nil {
		return nil, err
	}
	for _, c := range norm {
		if err := t.addNormalizer(c); err != nil {
			return nil, err
		}
	}
	split, err := f.split.list()
	if err != nil {
		return nil, err
	}
	for _, c := range split {
		if err := t.addPreTokenizer(c); err != nil {
			return nil, err
		}
	}
	if err := t.setDecoder(f.decoder); err != nil {
		return nil, err
	}
	if f.model.prefix != "" || f.model.suffix != "" || f.model.dropout {
		return nil, fmt.Errorf("%w: model with a subword prefix, a word suffix or dropout", ErrUnsupported)
	}
	if f.model.vocab.s == "" {
		return nil, fmt.Errorf("%w: model has no vocab", ErrFormat)
	}
	switch f.model.kind {
	case "BPE", "":
		err = f.buildBPE(t)
	case "Unigram":
		err = f.buildUnigram(t)
	default:
		err = fmt.Errorf("%w: model %q, expected BPE or Unigram", ErrUnsupported, f.model.kind)
	}
	if err != nil {
		return nil, err
	}
	return t, f.buildMatchers(t)
}

// buildMatchers makes the tables of added tokens. Those that are matched in normalised text are normalised themselves.
func (f *file) buildMatchers(t *Tokenizer) error {
	early, late := make([]added, 0, len(f.added)), []added(nil)
	for _, a := range f.added {
		a.text = t.vocab.text[a.id] // f's would keep the file alive
		if !a.normalized || len(t.norm) == 0 {
			early = append(early, a.added)
			continue
		}
		for _, n := range t.norm {
			a.text = n(a.text)
		}
		late = append(late, a.added)
	}
	var err1, err2 error
	t.early, err1 = newMatcher(early)
	t.late, err2 = newMatcher(late)
	return errors.Join(err1, err2)
}
