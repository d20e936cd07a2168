package tokenizer

import (
	"errors"
	"fmt"
	"strings"
)

// This file reads the models of tokenizer.json.

func (f *file) buildBPE(t *Tokenizer) error {
	count, top := 0, int32(-1)
	r := f.model.vocab
	r.object(func(string) {
		count++
		top = max(top, r.id(maxID))
	})
	if err := f.defineAdded(t.vocab, r.err, count, top); err != nil {
		return err
	}
	r = f.model.vocab
	var err error
	r.object(func(text string) {
		id := r.id(maxID)
		if t.vocab.isAdded(id, text) {
			return
		}
		k := normal
		if _, ok := parseOctet(text); ok && f.model.byteFallback {
			k = octet
		}
		if e := t.vocab.set(id, text, k); err == nil {
			err = e
		}
	})
	if err != nil {
		return err
	}
	t.vocab.compact()
	if err := t.vocab.buildIndex(); err != nil {
		return err
	}
	rule, err := f.pairs(t.vocab)
	if err != nil {
		return err
	}
	m := newBPE(t.vocab, rule)
	m.ignoreMerges, m.fuse = f.model.ignoreMerges, f.model.fuseUnknown
	if f.model.byteFallback && !t.vocab.byteLevel {
		m.bytes, m.byteFallback = t.vocab.octets()
	}
	if f.model.unknown != "" {
		id, ok := t.vocab.id(f.model.unknown)
		if !ok {
			return fmt.Errorf("%w: unk_token %q is not in the vocabulary", ErrFormat, f.model.unknown)
		}
		m.unknown = id
	}
	t.model = m
	return nil
}

// defineAdded sets the size of the vocabulary and enters the added tokens. The model has count tokens with ids up to top.
func (f *file) defineAdded(v *vocab, err error, count int, top int32) error {
	if err != nil {
		return err
	}
	for _, a := range f.added {
		top = max(top, a.id)
	}
	count += len(f.added)
	if limit := 2*count + 1<<16; int(top) >= limit {
		return fmt.Errorf("%w: token id %d with %d tokens, at most %d is allowed", ErrFormat, top, count, limit-1)
	}
	v.setSize(int(top) + 1)
	for _, a := range f.added {
		k := user
		if a.special {
			k = control
		}
		if err := v.set(a.id, a.text, k); err != nil {
			return err
		}
	}
	return nil
}

// isAdded reports whether an added token has this id and text; models may list added tokens again.
func (v *vocab) isAdded(id int32, text string) bool {
	return (v.kind[id] == user || v.kind[id] == control) && v.text[id] == text
}

// pairs reads the merges: "a b" or, in newer files, ["a", "b"].
func (f *file) pairs(v *vocab) (*pairs, error) {
	r := f.model.merges
	if r.s == "" {
		return newPairs(0), nil
	}
	p := newPairs(r.count())
	r.array(func() {
		var left, right string
		if r.peek() == '"' {
			left, right, _ = strings.Cut(r.string(), " ")
		} else {
			n := 0
			r.array(func() { left, right = right, r.string(); n++ })
			if n != 2 {
				r.fail("merge %d has %d parts, expected 2", len(p.list), n)
			}
		}
		if err := p.addSpelled(v, left, right); r.err == nil {
			r.err = err
		}
	})
	return p, r.err
}

// addSpelled appends the merge of two spellings. Both and their concatenation must be tokens.
func (p *pairs) addSpelled(v *vocab, left, right string) error {
	var ids [3]int32
	for i, s := range []string{left, right, left + right} {
		id, ok := v.id(s)
		if !ok || left == "" || right == "" {
			return fmt.Errorf("%w: merge %d, %q and %q: %q is not a token", ErrFormat, len(p.list), left, right, s)
		}
		ids[i] = id
	}
	p.add(ids[0], ids[1], ids[2])
	return nil
}

func (f *file) buildUnigram(t *Tokenizer) error {
	if t.vocab.byteLevel {
		return fmt.Errorf("%w: a byte-level unigram model", ErrUnsupported)
	}
	r := f.model.vocab
	count := r.count()
	if err := f.defineAdded(t.vocab, nil, count, int32(count)-1); err != nil {
		return err
	}
	score := make([]float32, len(t.vocab.kind))
	var err error
	id := int32(0)
	r.array(func() {
		var text string
		n := 0
		r.array(func() {
			switch n {
			case 0:
				text = r.string()
			case 1:
				score[id] = float32(r.float())
			default:
				r.fail("token %d has more than a text and a score", id)
			}
			n++
		})
		if n != 2 {
			r.fail("token %d has %d parts, expected a text and a score", id, n)
			return
		}
		if !t.vocab.isAdded(id, text) {
			k := normal
			if int64(id) == f.model.unknownID {
				k = unknown
			} else if _, ok := parseOctet(text); ok && f.model.byteFallback {
				k = octet
			}
			if e := t.vocab.set(id, text, k); err == nil {
				err = e
			}
		}
		id++
	})
	if err = errors.Join(r.err, err); err != nil {
		return err
	}
	if f.model.unknownID >= int64(count) {
		return fmt.Errorf("%w: unk_id %d, the vocabulary has %d", ErrFormat, f.model.unknownID, count)
	}
	t.vocab.compact()
	if err := t.vocab.buildIndex(); err != nil {
		return err
	}
	m := newUnigram(t.vocab, score, int32(f.model.unknownID))
	m.byteFallback = m.byteFallback && f.model.byteFallback
	t.model = m
	return nil
}
