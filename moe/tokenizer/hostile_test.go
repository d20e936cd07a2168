package tokenizer

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"strings"
	"testing"
)

// with returns a copy of kv with some keys changed, or dropped where the value is nil.
func with(kv map[string]any, changes map[string]any) map[string]any {
	kv = maps.Clone(kv)
	for k, v := range changes {
		if kv["tokenizer.ggml."+k] = v; v == nil {
			delete(kv, "tokenizer.ggml."+k)
		}
	}
	return kv
}

// TestHostileGGUF gives FromGGUF metadata that lies. Every error wraps its sentinel and names the cause.
func TestHostileGGUF(t *testing.T) {
	pairs, scored, single := taleKV(t, "deepseek-v3"), spmKV(), unigramKV()
	n := len(scored["tokenizer.ggml.tokens"].([]string))
	// respell returns scored with one token spelled otherwise.
	respell := func(id int, text string) map[string]any {
		tokens := append([]string(nil), scored["tokenizer.ggml.tokens"].([]string)...)
		tokens[id] = text
		return with(scored, map[string]any{"tokens": tokens})
	}
	nan := make([]float32, n)
	nan[7] = float32(math.NaN())
	for name, c := range map[string]struct {
		kv      map[string]any
		want    error
		mention string
	}{
		"nothing":                 {nil, ErrNoTokenizer, `""`},
		"model none":              {map[string]any{"tokenizer.ggml.model": "none"}, ErrNoTokenizer, `"none"`},
		"model unknown":           {map[string]any{"tokenizer.ggml.model": "rwkv"}, ErrUnsupported, `"rwkv"`},
		"model is a number":       {map[string]any{"tokenizer.ggml.model": uint32(1)}, ErrFormat, "model is a uint32"},
		"pre missing":             {with(pairs, map[string]any{"pre": nil}), ErrPreTokenizer, `""`},
		"pre unknown":             {with(pairs, map[string]any{"pre": "qwen7"}), ErrPreTokenizer, `"qwen7"`},
		"no tokens":               {with(pairs, map[string]any{"tokens": nil}), ErrFormat, "0 tokens"},
		"tokens are numbers":      {with(pairs, map[string]any{"tokens": []int32{1}}), ErrFormat, "tokens is a []int32"},
		"types too few":           {with(scored, map[string]any{"token_type": []int32{1}}), ErrFormat, "token_type has 1"},
		"types too many":          {with(scored, map[string]any{"token_type": make([]int32, n+1)}), ErrFormat, "token_type has"},
		"type beyond":             {with(scored, map[string]any{"token_type": append([]int32{7}, make([]int32, n-1)...)}), ErrFormat, "token 0 is 7"},
		"type negative":           {with(scored, map[string]any{"token_type": append([]int32{-1}, make([]int32, n-1)...)}), ErrFormat, "token 0 is -1"},
		"scores missing":          {with(scored, map[string]any{"scores": nil}), ErrFormat, "scores has 0"},
		"scores too few":          {with(scored, map[string]any{"scores": make([]float32, n-1)}), ErrFormat, "scores has"},
		"scores too many":         {with(single, map[string]any{"scores": make([]float32, n+1)}), ErrFormat, "scores has"},
		"score not a number":      {with(single, map[string]any{"scores": nan}), ErrFormat, "scores[7]"},
		"token twice":             {respell(300, "aa"), ErrFormat, `"aa"`},
		"token and marker":        {respell(1, "aa"), ErrFormat, `"aa"`},
		"byte token negative":     {respell(5, "<0x-1>"), ErrFormat, `"<0x-1>"`},
		"byte token no number":    {respell(5, "<0xGG>"), ErrFormat, `"<0xGG>"`},
		"byte token short":        {respell(5, "<0x5>"), ErrFormat, `"<0x5>"`},
		"byte token twice":        {respell(5, "<0x03>"), ErrFormat, `"<0x03>"`},
		"long marker":             {respell(1, strings.Repeat("x", 513)), ErrFormat, "513 bytes"},
		"merge of one part":       {with(pairs, map[string]any{"merges": []string{"ab"}}), ErrFormat, `merges[0] is "ab"`},
		"merge empty":             {with(pairs, map[string]any{"merges": []string{""}}), ErrFormat, `merges[0] is ""`},
		"merge of nothing":        {with(pairs, map[string]any{"merges": []string{"a "}}), ErrFormat, "not a token"},
		"merge of an unknown":     {with(pairs, map[string]any{"merges": []string{"a zzzz"}}), ErrFormat, `"zzzz" is not a token`},
		"merge into an unknown":   {with(pairs, map[string]any{"merges": []string{"Z Z"}}), ErrFormat, `"ZZ" is not a token`},
		"bos beyond":              {with(pairs, map[string]any{"bos_token_id": uint32(2048)}), ErrFormat, "bos_token_id is 2048"},
		"bos negative":            {with(pairs, map[string]any{"bos_token_id": int32(-1)}), ErrFormat, "bos_token_id is -1"},
		"eos beyond 32 bits":      {with(pairs, map[string]any{"eos_token_id": uint64(1) << 32}), ErrFormat, "eos_token_id is 4294967296"},
		"eos beyond 63 bits":      {with(pairs, map[string]any{"eos_token_id": uint64(math.MaxUint64)}), ErrFormat, "eos_token_id is -1"},
		"eot beyond":              {with(pairs, map[string]any{"eot_token_id": uint32(math.MaxUint32)}), ErrFormat, "eot_token_id is 4294967295"},
		"unknown beyond":          {with(single, map[string]any{"unknown_token_id": uint32(1 << 30)}), ErrFormat, "unknown_token_id is"},
		"bos is a string":         {with(pairs, map[string]any{"bos_token_id": "0"}), ErrFormat, "bos_token_id is a string"},
		"add_bos_token is an int": {with(pairs, map[string]any{"add_bos_token": int32(1)}), ErrFormat, "add_bos_token is a int32"},
		"charsmap":                {with(single, map[string]any{"precompiled_charsmap": []uint8{1}}), ErrUnsupported, "precompiled_charsmap"},
	} {
		_, err := FromGGUF(c.kv)
		if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.mention) {
			t.Errorf("%s: %v, want %v with %s", name, err, c.want, c.mention)
		}
	}
}

// byteVocab is the inner part of a JSON object: all 256 bytes as GPT-2 spells them, ids from 0.
func byteVocab() string {
	var b strings.Builder
	for i := range 256 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%d", string(byteRune(byte(i))), i)
	}
	return b.String()
}

const byteLevelJSON = `"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"}`

func TestHostileJSON(t *testing.T) {
	bpe := func(vocab, merges string) string {
		return `{` + byteLevelJSON + `,"model":{"type":"BPE","vocab":{` + vocab + `},"merges":[` + merges + `]}}`
	}
	unigram := func(fields string) string {
		return `{"model":{"type":"Unigram",` + fields + `}}`
	}
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	for name, c := range map[string]struct {
		data    string
		want    error
		mention string
	}{
		"empty":                  {``, ErrFormat, "{ was expected"},
		"an array":               {`[]`, ErrFormat, "{ was expected"},
		"no model":               {`{}`, ErrFormat, "no model"},
		"no vocab":               {`{"model":{"type":"BPE"}}`, ErrFormat, "no vocab"},
		"vocab is an array":      {`{"model":{"vocab":[]}}`, ErrFormat, "{ was expected"},
		"something follows":      {bpe(`"a":0`, ``) + "x", ErrFormat, "follows"},
		"a zero follows":         {bpe(`"a":0`, ``) + "\x00", ErrFormat, "follows"},
		"key twice":              {`{"model":{"vocab":{}},"model":{"vocab":{}}}`, ErrFormat, `"model" appears twice`},
		"deep":                   {deep, ErrFormat, "64 deep"},
		"deep normalizer":        {`{"normalizer":` + deep + `}`, ErrFormat, "64 deep"},
		"deep arrays":            {`{"x":` + strings.Repeat("[", 1_000_000), ErrFormat, "64 deep"},
		"string does not end":    {`{"model`, ErrFormat, "does not end"},
		"escape does not end":    {`{"\u00`, ErrFormat, "does not end"},
		"backslash at the end":   {`{"\`, ErrFormat, "does not end"},
		"comma at the end":       {bpe(`"a":0,`, ``), ErrFormat, "a string was expected"},
		"id negative":            {bpe(`"a":-1`, ``), ErrFormat, "token id -1"},
		"id a fraction":          {bpe(`"a":1.5`, ``), ErrFormat, "token id 1.5"},
		"id a power":             {bpe(`"a":1e3`, ``), ErrFormat, "token id 1e3"},
		"id a string":            {bpe(`"a":"1"`, ``), ErrFormat, "a number was expected"},
		"id beyond 32 bits":      {bpe(`"a":4294967296`, ``), ErrFormat, "token id 4294967296"},
		"id beyond 64 bits":      {bpe(`"a":99999999999999999999`, ``), ErrFormat, "token id 99999999999999999999"},
		"id far beyond":          {bpe(`"a":1000000000`, ``), ErrFormat, "token id 1000000000 with 1 tokens"},
		"id twice":               {bpe(`"a":0,"b":0`, ``), ErrFormat, `token 0 defined twice: "a" and "b"`},
		"token twice":            {bpe(`"a":0,"a":1`, ``), ErrFormat, `tokens 0 and 1 have the same spelling "a"`},
		"merge of an unknown":    {bpe(`"a":0,"b":1,"ab":2`, `"a c"`), ErrFormat, `"c" is not a token`},
		"merge into an unknown":  {bpe(`"a":0,"b":1`, `"a b"`), ErrFormat, `"ab" is not a token`},
		"merge of one":           {bpe(`"a":0`, `["a"]`), ErrFormat, "1 parts"},
		"merge of three":         {bpe(`"a":0`, `["a","a","a"]`), ErrFormat, "3 parts"},
		"merge a number":         {bpe(`"a":0`, `1`), ErrFormat, "[ was expected"},
		"model unknown":          {`{"model":{"type":"WordPiece","vocab":{}}}`, ErrUnsupported, `"WordPiece"`},
		"dropout":                {`{"model":{"type":"BPE","dropout":0.1,"vocab":{}}}`, ErrUnsupported, "dropout"},
		"subword prefix":         {`{"model":{"type":"BPE","continuing_subword_prefix":"##","vocab":{}}}`, ErrUnsupported, "prefix"},
		"unknown token unknown":  {`{"model":{"type":"BPE","unk_token":"<unk>","vocab":{"a":0}}}`, ErrFormat, `"<unk>"`},
		"unknown id beyond":      {unigram(`"unk_id":2,"vocab":[["a",0]]`), ErrFormat, "unk_id 2"},
		"token without score":    {unigram(`"vocab":[["a"]]`), ErrFormat, "token 0 has 1 parts"},
		"token with two scores":  {unigram(`"vocab":[["a",1,2]]`), ErrFormat, "more than"},
		"score beyond a float64": {unigram(`"vocab":[["a",1e999]]`), ErrFormat, "1e999"},
		"unigram token twice":    {unigram(`"vocab":[["a",0],["a",1]]`), ErrFormat, `"a"`},
		"byte-level unigram":     {`{` + byteLevelJSON + `,"model":{"type":"Unigram","vocab":[["a",0]]}}`, ErrUnsupported, "unigram"},
		"added without id":       {`{"added_tokens":[{"content":"x"}],"model":{"vocab":{}}}`, ErrFormat, "no id"},
		"added far beyond":       {`{"added_tokens":[{"content":"x","id":1000000}],"model":{"vocab":{}}}`, ErrFormat, "token id 1000000"},
		"added id taken":         {`{"added_tokens":[{"content":"x","id":0}],"model":{"vocab":{"a":0}}}`, ErrFormat, "token 0 defined twice"},
		"added text taken":       {`{"added_tokens":[{"content":"a","id":1}],"model":{"vocab":{"a":0}}}`, ErrFormat, `"a"`},
		"added twice":            {`{"added_tokens":[{"content":"x","id":0},{"content":"x","id":1}],"model":{"vocab":{}}}`, ErrFormat, `"x"`},
		"normalizer":             {`{"normalizer":{"type":"NFKC"},"model":{"vocab":{}}}`, ErrUnsupported, `"NFKC"`},
		"normalizer of nothing":  {`{"normalizer":{"type":"Sequence","normalizers":[{}]},"model":{"vocab":{}}}`, ErrFormat, "no type"},
		"normalizer pattern":     {`{"normalizer":{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "},"model":{"vocab":{}}}`, ErrUnsupported, `" {2,}"`},
		"pre-tokenizer":          {`{"pre_tokenizer":{"type":"UnicodeScripts"},"model":{"vocab":{}}}`, ErrPreTokenizer, `"UnicodeScripts"`},
		"pre-tokenizer a list":   {`{"pre_tokenizer":[],"model":{"vocab":{}}}`, ErrFormat, "pre_tokenizer"},
		"split behavior":         {`{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\p{N}"},"behavior":"Removed"},"model":{"vocab":{}}}`, ErrPreTokenizer, `"Removed"`},
		"decoder":                {`{"decoder":{"type":"CTC"},"model":{"vocab":{}}}`, ErrUnsupported, `"CTC"`},
		"decoder of another":     {`{"decoder":{"type":"ByteLevel"},"model":{"vocab":{}}}`, ErrUnsupported, `"ByteLevel"`},
		"post-processor":         {`{"post_processor":{"type":"X"},"model":{"vocab":{}}}`, ErrUnsupported, `"X"`},
		"template id beyond": {`{"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"s"}}],
			"special_tokens":{"s":{"ids":[9]}}},"model":{"vocab":{"a":0}}}`, ErrFormat, "id 9"},
	} {
		_, err := FromJSON([]byte(c.data), nil)
		if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.mention) {
			t.Errorf("%s: %v, want %v with %s", name, err, c.want, c.mention)
		}
	}
	for name, config := range map[string]string{
		"no object": `[]`, "not JSON": `{`, "bos unknown": `{"bos_token":"<bos>"}`, "eos a number": `{"eos_token":1}`,
	} {
		if _, err := FromJSON([]byte(bpe(`"a":0`, ``)), []byte(config)); !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), "tokenizer_config.json") {
			t.Errorf("config, %s: %v", name, err)
		}
	}
}

// TestMangledJSON cuts a small file at every byte, and flips every byte: errors, or a tokenizer that works.
func TestMangledJSON(t *testing.T) {
	data := []byte(`{"added_tokens":[{"id":4,"content":"<s>","special":true}],"normalizer":{"type":"NFC"},` + byteLevelJSON +
		`,"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"\u0120":3},"merges":["a b"]}}`)
	if _, err := FromJSON(data, nil); err != nil {
		t.Fatal(err)
	}
	for i := range data {
		if _, err := FromJSON(data[:i], nil); !errors.Is(err, ErrFormat) {
			t.Errorf("cut at byte %d: %v", i, err)
		}
		for _, flip := range []byte{1, 0x20, 0x80, 0xff} {
			bad := append([]byte(nil), data...)
			bad[i] ^= flip
			exercise(t, bad)
		}
	}
}

// exercise opens a file and uses what comes of it.
func exercise(t *testing.T, data []byte) {
	t.Helper()
	tok, err := FromJSON(data, nil)
	if err != nil {
		if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrPreTokenizer) && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%q: %v has no sentinel", data, err)
		}
		return
	}
	use(t, tok)
}

// use calls everything that takes input.
func use(t *testing.T, tok *Tokenizer) {
	t.Helper()
	for _, text := range []string{"", "a", "ab ab <s> \x00\xff é 中 e\u0301", strings.Repeat("ab", 40)} {
		ids := tok.Encode(text, true, true)
		for _, id := range ids {
			if _, err := tok.Piece(id); err != nil {
				t.Errorf("Encode(%q) gives %d: %v", text, id, err)
			}
		}
		tok.Decode(ids, true)
	}
	d := tok.NewDecoder(true)
	for id := int32(-2); id < int32(min(tok.VocabSize(), 1000))+2; id++ {
		d.Next(id)
		tok.EOG(id)
		if s := tok.Token(id); s != "" {
			if back, ok := tok.ID(s); !ok || back != id {
				t.Errorf("ID(Token(%d)) = %d, %v", id, back, ok)
			}
		}
		if _, err := tok.Piece(id); (err == nil) != (tok.vocab.has(id)) || err != nil && !errors.Is(err, ErrToken) {
			t.Errorf("Piece(%d): %v", id, err)
		}
	}
	d.Flush()
}

// TestMemory opens files that ask for much and checks that memory in use grows by at most four times their size and 16 MB.
func TestMemory(t *testing.T) {
	var many, ids, merges, added strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&many, "%q:%d,", fmt.Sprint("t", i), i)
		fmt.Fprintf(&merges, "%q,", "a a")
		fmt.Fprintf(&added, `{"id":%d,"content":"<%d>"},`, i, i)
		fmt.Fprintf(&ids, `["%d",0],`, i)
	}
	last := func(b strings.Builder) string { return strings.TrimSuffix(b.String(), ",") }
	for name, data := range map[string]string{
		"tokens": `{` + byteLevelJSON + `,"model":{"vocab":{` + last(many) + `}}}`,
		"merges": `{` + byteLevelJSON + `,"model":{"vocab":{"a":0,"aa":1},"merges":[` + last(merges) + `]}}`,
		"added":  `{` + byteLevelJSON + `,"added_tokens":[` + last(added) + `],"model":{"vocab":{}}}`,
		"scores": `{"model":{"type":"Unigram","vocab":[` + last(ids) + `]}}`,
		"far id": `{` + byteLevelJSON + `,"model":{"vocab":{"a":65535}}}`,
	} {
		input := []byte(data)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		tok, err := FromJSON(input, nil)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// All that was ever allocated, collected or not, is more than what was in use at any time.
		if total := after.TotalAlloc - before.TotalAlloc; total > 6*uint64(len(input))+16<<20 {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, total, len(input))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 4*int64(len(input))+16<<20 {
			t.Errorf("%s: %d bytes held", name, held)
		}
		runtime.KeepAlive(tok)
	}
}

func FuzzFromJSON(f *testing.F) {
	f.Add([]byte(`{"added_tokens":[{"id":4,"content":"<s>","special":true}],"normalizer":{"type":"NFC"},`+byteLevelJSON+
		`,"model":{"type":"BPE","ignore_merges":true,"vocab":{"a":0,"b":1,"ab":2,"\u0120":3},"merges":["a b",["a","b"]]}}`),
		[]byte(`{"bos_token":"<s>","eos_token":{"content":"<s>"},"add_bos_token":true}`))
	f.Add([]byte(`{"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},
		"content":"▁"}]},"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
		{"type":"Fuse"},{"type":"Strip","content":" ","start":1}]},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":
		{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<s>":{"ids":[0]}}},"added_tokens":[{"id":0,"content":"<s>"}],
		"model":{"type":"BPE","unk_token":"a","fuse_unk":true,"byte_fallback":true,"vocab":{"<s>":0,"a":1,"▁":2,"▁a":3,"<0x0A>":4},"merges":["▁ a"]}}`), []byte(nil))
	f.Add([]byte(`{"added_tokens":[{"id":2,"content":" x","lstrip":true,"single_word":true}],"normalizer":{"type":"Prepend","prepend":"▁"},
		"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["▁a",-1.5]]}}`), []byte(nil))
	f.Fuzz(func(t *testing.T, data, config []byte) {
		tok, err := FromJSON(data, config)
		if err == nil {
			use(t, tok)
		}
	})
}

// FuzzFromGGUF mixes lines into metadata: what a file could say of each key.
func FuzzFromGGUF(f *testing.F) {
	f.Add("llama", "", "<unk> <s> </s> a b ab <0x0A>", []byte{2, 3, 3, 1, 1, 1, 6}, []byte{0, 0, 0, 3, 2, 9, 0}, "", 1, 2, "a b ab")
	f.Add("gpt2", "qwen2", "a b ab <s>", []byte{1, 1, 1, 3}, []byte{}, "a b", 3, 3, "ab<s>ab")
	f.Add("t5", "", "<pad> </s> <unk> ▁ a ▁ab", []byte{3, 3, 2, 1, 1, 1}, []byte{0, 0, 0, 1, 2, 3}, "", 1, 1, "a b ab")
	f.Fuzz(func(t *testing.T, model, pre, tokens string, types, scores []byte, merges string, bos, eos int, text string) {
		kv := map[string]any{
			"tokenizer.ggml.model": model, "tokenizer.ggml.pre": pre, "tokenizer.ggml.tokens": strings.Split(tokens, " "),
			"tokenizer.ggml.token_type": widen[int32](types), "tokenizer.ggml.scores": widen[float32](scores),
			"tokenizer.ggml.merges": strings.Split(merges, ","), "tokenizer.ggml.bos_token_id": bos, "tokenizer.ggml.eos_token_id": int32(eos),
		}
		tok, err := FromGGUF(kv)
		if err == nil {
			use(t, tok)
			tok.Decode(tok.Encode(text, true, true), false)
		}
	})
}

// FuzzRoundTrip holds byte-level vocabularies to giving back what went in.
func FuzzRoundTrip(f *testing.F) {
	var toks []*Tokenizer
	for _, pre := range []string{"deepseek-v3", "deepseek-llm", "deepseek-coder", "llama-bpe", "gpt-4o", "kimi-k2", "falcon", "starcoder"} {
		toks = append(toks, fromKV(f, taleKV(f, pre)))
	}
	for _, s := range []string{"Once upon a time", "I'LL  go\r\n\n 12345 中文!  ", "<think>\xff\xf0\x9f</think>", "e\u0301 \u1100\u1161"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, tok := range toks {
			for _, parse := range []bool{false, true} {
				ids := tok.Encode(text, false, parse)
				var raw []byte
				for _, id := range ids {
					p, err := tok.Piece(id)
					if err != nil {
						t.Fatal(err)
					}
					raw = append(raw, p...)
				}
				if string(raw) != text {
					t.Fatalf("%q comes back as %q", text, raw)
				}
				whole := tok.Decode(ids, true)
				if strings.ToValidUTF8(text, "") == text && whole != text {
					t.Fatalf("%q is decoded as %q", text, whole)
				}
				if s := stream(t, tok, ids); s != whole {
					t.Fatalf("%q is streamed as %q", whole, s)
				}
			}
		}
	})
}
