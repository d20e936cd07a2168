package moe

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/coterie-go/coterie/moe/tokenizer"
)

// GGUF's kinds of tokens.
const (
	tokenNormal  = 1
	tokenControl = 3
	tokenUser    = 4
	tokenUnused  = 5
)

// preNames are llama.cpp's names of the ways to cut text into words. Which one a
// tokenizer.json means is found by trial: the one that gives the same ids.
var preNames = []string{
	"deepseek-v3", "deepseek-llm", "deepseek-coder", "qwen2", "llama-bpe", "gpt-2", "gpt-4o", "kimi-k2", "qwen35",
	"starcoder", "falcon", "mpt", "olmo", "dbrx", "smollm", "tekken", "chatglm-bpe", "glm4", "minimax-m2", "refact", "command-r",
}

// preProbe tells the ways apart: case, digits, marks, scripts, line breaks, spaces.
const preProbe = "Hello  world's 1234567 tokens!\n\n\tI'LL we'Ve \r\n x=3.14159; //path/to_file __init__ (a+b)*c   \n" +
	" Größe déjà-vu naïve ÉCOLE CamelCaseWord XMLHttp привет Мир 你好世界 日本語テキスト カタカナ 한국어 ไทย عربى हिन्दी é ①②③ ٣٤٥ 😀👩‍👩‍👧  ... ???!!\n  \n   end "

// hubTokenizer writes tokenizer.json as GGUF metadata.
func (x *exporter) hubTokenizer() error {
	hub, err := x.tokenizer()
	if errors.Is(err, tokenizer.ErrNoTokenizer) {
		x.w.SetKV("tokenizer.ggml.model", "none")
		return nil
	}
	if err != nil {
		return err
	}
	data, err := readSmall(filepath.Join(x.path, "tokenizer.json"))
	if err != nil {
		return err
	}
	var j struct {
		Model struct {
			Type         string
			Vocab        map[string]int32
			Merges       []json.RawMessage
			ByteFallback bool `json:"byte_fallback"`
		}
		Added []struct {
			ID      int32
			Content string
			Special bool
		} `json:"added_tokens"`
	}
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("%w: tokenizer.json: %w", ErrFormat, err)
	}
	if j.Model.Type != "BPE" && j.Model.Type != "" || j.Model.ByteFallback {
		return fmt.Errorf("%w: tokenizer.json: want byte-level BPE, found %s (byte fallback %v)", ErrFormat, j.Model.Type, j.Model.ByteFallback)
	}
	n := x.config.Vocab
	tokens, kinds := make([]string, n), make([]int32, n)
	for i := range tokens {
		tokens[i], kinds[i] = fmt.Sprintf("[PAD%d]", i), tokenUnused
	}
	put := func(id int32, s string, kind int32) {
		if id >= 0 && int(id) < n {
			tokens[id], kinds[id] = s, kind
		}
	}
	for s, id := range j.Model.Vocab {
		put(id, s, tokenNormal)
	}
	for _, a := range j.Added {
		if a.Special {
			put(a.ID, a.Content, tokenControl)
		} else {
			put(a.ID, a.Content, tokenUser)
		}
	}
	var merges []string
	for _, m := range j.Model.Merges {
		var s string
		var pair []string
		if json.Unmarshal(m, &s) != nil {
			if json.Unmarshal(m, &pair) != nil || len(pair) != 2 {
				return fmt.Errorf("%w: tokenizer.json: want merges as texts or pairs, found %s", ErrFormat, m)
			}
			s = pair[0] + " " + pair[1]
		}
		merges = append(merges, s)
	}
	kv := map[string]any{
		"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": kinds, "tokenizer.ggml.merges": merges,
	}
	if id, ok := hub.BOS(); ok {
		kv["tokenizer.ggml.bos_token_id"] = uint32(id)
	}
	if id, ok := hub.EOS(); ok {
		kv["tokenizer.ggml.eos_token_id"] = uint32(id)
	}
	id, ok := hub.BOS()
	begin := hub.Encode("", true, false)
	kv["tokenizer.ggml.add_bos_token"] = ok && len(begin) > 0 && begin[0] == id
	if kv["tokenizer.ggml.pre"], err = findPre(hub, kv); err != nil {
		return err
	}
	for _, key := range []string{"model", "pre", "tokens", "token_type", "merges", "bos_token_id", "eos_token_id", "add_bos_token"} {
		if v, ok := kv["tokenizer.ggml."+key]; ok {
			x.w.SetKV("tokenizer.ggml."+key, v)
		}
	}
	if x.template != "" {
		x.w.SetKV("tokenizer.chat_template", x.template)
	}
	return nil
}

func findPre(hub *tokenizer.Tokenizer, kv map[string]any) (string, error) {
	want := fmt.Sprint(hub.Encode(preProbe, true, false))
	for _, name := range preNames {
		kv["tokenizer.ggml.pre"] = name
		t, err := tokenizer.FromGGUF(kv)
		if err == nil && fmt.Sprint(t.Encode(preProbe, true, false)) == want {
			return name, nil
		}
	}
	return "", fmt.Errorf("%w: tokenizer.json: none of %s cuts text as it does", ErrFormat, strings.Join(preNames, ", "))
}
