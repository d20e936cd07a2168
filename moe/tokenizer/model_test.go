package tokenizer

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// mergeNaive is byte-pair encoding as it is defined: merge the best pair, the leftmost of equals, until none is left.
func mergeNaive(r rule, word string, s []piece) []piece {
	s = slices.Clone(s)
	for {
		best, at := uint64(never), -1
		for i := range len(s) - 1 {
			if m := r.merge(word, s[i], s[i+1]); m != never && (at < 0 || m>>32 < best>>32) {
				best, at = m, i
			}
		}
		if at < 0 {
			return s
		}
		s[at] = piece{int32(uint32(best)), s[at].start, s[at+1].end}
		s = slices.Delete(s, at+1, at+2)
	}
}

func TestMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for name, tok := range map[string]*Tokenizer{"pairs": readTokenizer(t, "testdata/tale"), "scored": fromKV(t, spmKV())} {
		m := tok.model.(*bpe)
		var l long
		for range 3000 {
			letters := []string{"aaab", "▁once▁the", "thenocatrus ", "a😀é▁"}[r.IntN(4)]
			runes := []rune(letters)
			var b strings.Builder
			for range 1 + r.IntN(60) {
				b.WriteRune(runes[r.IntN(len(runes))])
			}
			word := b.String()
			start := m.split(nil, word)
			want := mergeNaive(m.rule, word, start)
			if len(start) <= shortWord {
				if got := mergeShort(m.rule, word, slices.Clone(start)); !slices.Equal(got, want) {
					t.Fatalf("%s, %q: short %v, want %v", name, word, got, want)
				}
			}
			if got := l.merge(m.rule, word, slices.Clone(start)); !slices.Equal(got, want) {
				t.Fatalf("%s, %q: long %v, want %v", name, word, got, want)
			}
			// Cutting at spaces, known words and the choice between the two change nothing.
			if got, want := m.appendWord(nil, word), m.emit(nil, word, want); !slices.Equal(got, want) {
				t.Fatalf("%s, %q: %v, want %v", name, word, got, want)
			}
		}
	}
}

// TestUnigram holds the model against trying all ways to cut a text.
func TestUnigram(t *testing.T) {
	m := fromKV(t, unigramKV()).model.(*unigram)
	score := func(ids []int32) (sum float64) {
		for _, id := range ids {
			sum += float64(m.score[id])
		}
		return sum
	}
	var best func(text string) float64
	best = func(text string) float64 {
		if text == "" {
			return 0
		}
		top := math.Inf(-1)
		for n := 1; n <= len(text); n++ {
			if id := m.vocab.words.find(m.vocab.text, text[:n]); id >= 0 {
				top = max(top, float64(m.score[id])+best(text[n:]))
			}
		}
		return top
	}
	r := rand.New(rand.NewPCG(7, 8))
	for range 300 {
		var b strings.Builder
		for range 1 + r.IntN(10) {
			b.WriteString([]string{"a", "a", "▁", "on", "ce", "t", "he", "x"}[r.IntN(8)])
		}
		text := b.String()
		ids := m.appendWord(nil, text)
		var spelled strings.Builder
		for _, id := range ids {
			spelled.WriteString(m.vocab.text[id])
		}
		if spelled.String() != text || math.Abs(score(ids)-best(text)) > 1e-9 {
			t.Errorf("%q: %v with score %v, the best is %v", text, ids, score(ids), best(text))
		}
	}
}

// TestUnknown checks what becomes of characters that no token spells.
func TestUnknown(t *testing.T) {
	for name, kv := range map[string]map[string]any{"llama": spmKV(), "t5": unigramKV()} {
		kv = with(kv, map[string]any{"unknown_token_id": uint32(0), "add_space_prefix": false})
		tok := fromKV(t, kv)
		if ids, want := tok.Encode("aé\na", false, false), "a <0xC3> <0xA9> <0x0A> a"; spellAll(tok, ids) != want {
			t.Errorf("%s: %s, want %s", name, spellAll(tok, ids), want)
		}
		if got := tok.Decode(tok.Encode("aé\n 😀a", false, false), false); got != "aé\n 😀a" {
			t.Errorf("%s: %q", name, got)
		}
		// Without the byte of a line break there is no falling back on bytes.
		types := slices.Clone(kv["tokenizer.ggml.token_type"].([]int32))
		types[3+'\n'] = 5
		tok = fromKV(t, with(kv, map[string]any{"token_type": types}))
		ids := tok.Encode("aéa", false, false)
		if want := "a <unk> a"; spellAll(tok, ids) != want {
			t.Errorf("%s without bytes: %s, want %s", name, spellAll(tok, ids), want)
		}
	}
}

func spellAll(tok *Tokenizer, ids []int32) string {
	s := make([]string, len(ids))
	for i, id := range ids {
		s[i] = tok.Token(id)
	}
	return strings.Join(s, " ")
}

// hubSPM writes a SentencePiece vocabulary of pairs as the tokenizer.json that the hub has for such: merges are all ways to cut a token
// in two, by score.
func hubSPM(t *testing.T, kv map[string]any) []byte {
	tokens, scores, types := kv["tokenizer.ggml.tokens"].([]string), kv["tokenizer.ggml.scores"].([]float32), kv["tokenizer.ggml.token_type"].([]int32)
	vocab := make(map[string]int)
	var order []int
	var added []map[string]any
	for i, s := range tokens {
		vocab[s] = i
		switch kind(types[i]) {
		case normal:
			order = append(order, i)
		case control, unknown:
			added = append(added, map[string]any{"id": i, "content": s, "special": true, "normalized": false})
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(math.Copysign(1, float64(scores[b]-scores[a]))) })
	merges := [][2]string{}
	for _, id := range order {
		s := tokens[id]
		for i := range s {
			_, ok1 := vocab[s[:i]]
			_, ok2 := vocab[s[i:]]
			if ok1 && ok2 {
				merges = append(merges, [2]string{s[:i], s[i:]})
			}
		}
	}
	type obj = map[string]any
	data, err := json.Marshal(obj{
		"added_tokens": added,
		"normalizer": obj{"type": "Sequence", "normalizers": []obj{
			{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": obj{"String": " "}, "content": "▁"}}},
		"decoder": obj{"type": "Sequence", "decoders": []obj{{"type": "Replace", "pattern": obj{"String": "▁"}, "content": " "},
			{"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}}},
		"post_processor": obj{"type": "TemplateProcessing", "single": []obj{{"SpecialToken": obj{"id": "<s>", "type_id": 0}},
			{"Sequence": obj{"id": "A", "type_id": 0}}}, "special_tokens": obj{"<s>": obj{"id": "<s>", "ids": []int{1}, "tokens": []string{"<s>"}}}},
		"model": obj{"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "vocab": vocab, "merges": merges},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestHubSPM holds the hub's form of SentencePiece vocabularies (Llama 2, Mixtral) against GGUF's.
func TestHubSPM(t *testing.T) {
	texts := []string{"", " ", "once the aaaaaaa", " once  the", "<s>once</s> on", "é\n\t😀", "the<unk>the"}
	compare := func(t *testing.T, kv map[string]any, texts []string) {
		gguf := fromKV(t, kv)
		hub, err := FromJSON(hubSPM(t, kv), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			for _, flag := range []bool{false, true} {
				a, b := gguf.Encode(text, flag, flag), hub.Encode(text, flag, flag)
				if !slices.Equal(a, b) {
					t.Errorf("%q: %v from GGUF, %v from the hub", text, a, b)
				}
				if x, y := gguf.Decode(a, flag), hub.Decode(b, flag); x != y || !flag && x != text {
					t.Errorf("%q: %q from GGUF, %q from the hub", text, x, y)
				}
			}
		}
	}
	compare(t, spmKV(), texts)
	t.Run("llama", func(t *testing.T) {
		if testing.Short() {
			t.Skip("slow")
		}
		compare(t, readKV(t, filepath.Join(shared, "vocab/ggml-vocab-llama-spm.gguf")), append(texts, "Hello, y'all! How are you 😁 ?我想在apple工作1314151天～ \n\n  3.14159"))
	})
}

func TestMetaspace(t *testing.T) {
	const vocab = `"vocab":{"<s>":0,"▁":1,"a":2,"b":3,"▁a":4,"▁b":5,"b▁a":6},"merges":["▁ a","▁ b","b ▁a"]`
	for scheme, want := range map[string]string{
		`"prepend_scheme":"always","split":true`: "▁a ▁b ▁a <s> ▁b",
		`"prepend_scheme":"first","split":true`:  "▁a ▁b ▁a <s> b",
		`"prepend_scheme":"never","split":true`:  "a ▁b ▁a <s> b",
		`"prepend_scheme":"first","split":false`: "▁a ▁b ▁a <s> b",
		`"add_prefix_space":true`:                "▁a ▁b ▁a <s> ▁b",
		`"add_prefix_space":false,"split":false`: "a ▁b ▁a <s> b",
	} {
		tok, err := FromJSON([]byte(`{"added_tokens":[{"id":0,"content":"<s>","special":true}],"pre_tokenizer":{"type":"Metaspace","replacement":"▁",`+scheme+
			`},"decoder":{"type":"Metaspace","replacement":"▁",`+scheme+`},"model":{"type":"BPE",`+vocab+`}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		ids := tok.Encode("a b a<s>b", false, true)
		if got := spellAll(tok, ids); got != want {
			t.Errorf("%s: %s, want %s", scheme, got, want)
		}
		if got := tok.Decode(ids, false); got != "a b ab" && got != "a b a b" {
			t.Errorf("%s: decoded %q", scheme, got)
		}
	}
}

// addedJSON is a byte-level vocabulary with the added tokens of a JSON list; their ids go on from 256.
func addedJSON(t *testing.T, list ...string) *Tokenizer {
	t.Helper()
	for i, s := range list {
		list[i] = fmt.Sprintf(`{"id":%d,%s}`, 256+i, s)
	}
	tok, err := FromJSON([]byte(`{"added_tokens":[`+strings.Join(list, ",")+`],`+byteLevelJSON+`,"model":{"type":"BPE","vocab":{`+byteVocab()+`},"merges":[]}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestAddedTokens(t *testing.T) {
	tok := addedJSON(t, `"content":"<a>","special":true`, `"content":"<a>b"`, `"content":"<a","special":true`, `"content":"  "`, `"content":"<l>","lstrip":true`,
		`"content":"<r>","rstrip":true`, `"content":"cat","single_word":true`)
	for _, c := range []struct{ text, parsed, strict string }{ // ids of added tokens in brackets, bytes as GPT-2 spells them
		{"<a>", "[256]", "<a>"},
		{"<a>b<a", "[257][258]", "[257]<a"}, // the longest first, and specials only on demand
		{"x<a<a>x", "x[258][256]x", "x<a<a>x"},
		{"   ", "[259]Ġ", "[259]Ġ"},
		{"x \n<l> y", "x[260]Ġy", "x[260]Ġy"},
		{"<r> \t<l>", "[261][260]", "[261][260]"},
		{"x<r>  y<r>", "x[261]y[261]", "x[261]y[261]"},
		{"cat concat cats cat-cat", "[262]ĠconcatĠcatsĠ[262]-[262]", "[262]ĠconcatĠcatsĠ[262]-[262]"},
		{"cat_ écat 中cat。cat", "cat_ĠÃ©catĠä¸ŃcatãĢĤ[262]", "cat_ĠÃ©catĠä¸ŃcatãĢĤ[262]"},
	} {
		for parse, want := range map[bool]string{true: c.parsed, false: c.strict} {
			got := ""
			for _, id := range tok.Encode(c.text, false, parse) {
				if id < 256 {
					got += tok.Token(id)
				} else {
					got += fmt.Sprintf("[%d]", id)
				}
			}
			if got != want {
				t.Errorf("%q, parse %v: %s, want %s", c.text, parse, got, want)
			}
		}
	}
	if id, ok := tok.ID("<a>b"); !ok || id != 257 || tok.Special(257) || !tok.Special(256) || tok.Special(-1) {
		t.Error("added tokens are not found, or special where they should not be")
	}
}

func TestBounds(t *testing.T) {
	const template = `"post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing","single":[
		{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[256]}}}]},`
	file := func(template string) []byte {
		return []byte(`{` + template + `"added_tokens":[{"id":256,"content":"<s>","special":true},{"id":257,"content":"</s>","special":true}],` +
			byteLevelJSON + `,"model":{"type":"BPE","vocab":{` + byteVocab() + `},"merges":[]}}`)
	}
	for _, c := range []struct {
		template, config, want string
		bos, eos               int32
	}{
		{"", "", "", -1, -1},
		{"", `{"bos_token":"<s>","eos_token":{"content":"</s>"}}`, "", 256, 257},
		{"", `{"bos_token":"<s>","eos_token":"</s>","add_bos_token":true,"add_eos_token":true}`, "<s> </s>", 256, 257},
		{template, "", "<s>", 256, -1},
		{template, `{"bos_token":"<s>"}`, "<s>", 256, -1},
		{template, `{"bos_token":"<s>","add_bos_token":true}`, "<s>", 256, -1},
		{template, `{"bos_token":"<s>","add_bos_token":false}`, "", 256, -1},
		{template, `{"bos_token":null,"add_bos_token":true,"add_eos_token":true}`, "<s>", -1, -1},
	} {
		var config []byte
		if c.config != "" {
			config = []byte(c.config)
		}
		tok, err := FromJSON(file(c.template), config)
		if err != nil {
			t.Fatal(err)
		}
		if got := spellAll(tok, tok.Encode("", true, false)); got != c.want {
			t.Errorf("template %v, config %s: adds %q, want %q", c.template != "", c.config, got, c.want)
		}
		if got := tok.Encode("", false, false); len(got) != 0 {
			t.Errorf("adds %v unasked", got)
		}
		id, ok := tok.BOS()
		if ok != (c.bos >= 0) || ok && id != c.bos {
			t.Errorf("config %s: begins with %d, %v", c.config, id, ok)
		}
		id, ok = tok.EOS()
		if ok != (c.eos >= 0) || ok && (id != c.eos || !tok.EOG(id)) {
			t.Errorf("config %s: ends with %d, %v", c.config, id, ok)
		}
	}
}

func TestEOG(t *testing.T) {
	tok := addedJSON(t, `"content":"<|im_end|>","special":true`, `"content":"<|end|>","special":true`, `"content":"<|im_start|>","special":true`)
	for id, want := range map[int32]bool{256: true, 257: true, 258: false, 65: false, -1: false, 1 << 30: false} {
		if tok.EOG(id) != want {
			t.Errorf("EOG(%d) = %v", id, !want)
		}
	}
	// In the harmony format a message's end is not the end.
	tok = addedJSON(t, `"content":"<|return|>","special":true`, `"content":"<|call|>","special":true`, `"content":"<|end|>","special":true`)
	if !tok.EOG(256) || !tok.EOG(257) || tok.EOG(258) {
		t.Error("harmony")
	}
	tok = fromKV(t, with(taleKV(t, "qwen2"), map[string]any{"eot_token_id": uint32(3), "eom_token_id": uint32(5)}))
	if !tok.EOG(1) || !tok.EOG(3) || !tok.EOG(5) || tok.EOG(2) {
		t.Error("GGUF keys")
	}
}

// TestPhi3 checks that Phi-3's markers take white space along, as in the hub's file.
func TestPhi3(t *testing.T) {
	kv := readKV(t, filepath.Join(shared, "vocab/ggml-vocab-phi-3.gguf"))
	tok := fromKV(t, kv)
	if got, want := spellAll(tok, tok.Encode("<|user|>\nHi<|end|>\n", true, true)), "<s> <|user|> ▁Hi <|end|>"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestIllFormed checks the marks for what is not UTF-8: one for each maximal part of a character.
func TestIllFormed(t *testing.T) {
	tok := addedJSON(t)
	for bytes, want := range map[string]string{
		"\xff": "�", "\xff\xfe": "��", "\xc3": "�", "\xc3a": "�a", "\xe2\x82": "�", "\xe2\x82a": "�a", "\xe2\x28\xa1": "�(�",
		"\xf0\x9f\x98": "�", "\xf0\x9f\x98x\x80": "�x�", "\xed\xa0\x80": "���", "\xf4\x90\x80\x80": "����", "\xc0\xaf": "��",
		"\xf0\x9f\xf0\x9f\x98\x80": "�😀", "a\x80é": "a�é",
	} {
		ids := tok.Encode(bytes, false, false)
		if got := tok.Decode(ids, false); got != want {
			t.Errorf("%q is decoded as %q, want %q", bytes, got, want)
		}
		if got := stream(t, tok, ids); got != want {
			t.Errorf("%q is streamed as %q, want %q", bytes, got, want)
		}
	}
	d := tok.NewDecoder(false)
	id := func(b byte) int32 { return tok.Encode(string([]byte{b}), false, false)[0] }
	for i, want := range []string{"", "", "", "😀"} {
		if got := d.Next(id("😀"[i])); got != want {
			t.Errorf("byte %d of a character gives %q", i, got)
		}
	}
	d.Next(id(0xf0))
	if got := d.Flush(); got != "�" {
		t.Errorf("Flush gives %q", got)
	}
	if got := d.Next(id('a')) + d.Flush(); got != "a" {
		t.Errorf("after Flush: %q", got)
	}
}

// TestConcurrent uses one tokenizer from many goroutines, for the race detector.
func TestConcurrent(t *testing.T) {
	tok := readTokenizer(t, "testdata/tale")
	text := strings.Repeat("Once upon a time there lived a king, whose aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa daughter ", 20)
	want := readTokenizer(t, "testdata/tale").Encode(text, true, true)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if got := tok.Encode(text, true, true); !slices.Equal(got, want) {
					t.Error("other ids")
				}
				tok.Decode(want, true)
			}
		})
	}
	wg.Wait()
}

// TestAllocs checks that encoding into a large enough slice allocates nothing.
func TestAllocs(t *testing.T) {
	tok := readTokenizer(t, "testdata/tale")
	text := "Once upon a time there lived a king; whose daughter was exceedinglybeautifulandgood."
	dst := tok.Encode(text, true, true)
	if n := testing.AllocsPerRun(100, func() { dst = tok.AppendEncode(dst[:0], text, true, true) }); n > 0.5 {
		t.Errorf("%v allocations", n)
	}
}
