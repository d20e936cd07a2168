package tokenizer

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// taleKV is Tale's vocabulary as GGUF metadata, under the name of any pre-tokenizer.
func taleKV(t testing.TB, pre string) map[string]any {
	t.Helper()
	v := readTokenizer(t, "testdata/tale").vocab
	m := readTokenizer(t, "testdata/tale").model.(*bpe).rule.(*pairs)
	tokens, types := make([]string, len(v.text)), make([]int32, len(v.text))
	for i := range v.text {
		tokens[i], types[i] = v.spell(int32(i)), int32(v.kind[i])
	}
	var merges []string
	for _, e := range m.list {
		merges = append(merges, v.spell(e[0])+" "+v.spell(e[1]))
	}
	return map[string]any{
		"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre, "tokenizer.ggml.tokens": tokens,
		"tokenizer.ggml.token_type": types, "tokenizer.ggml.merges": merges,
		"tokenizer.ggml.bos_token_id": uint32(0), "tokenizer.ggml.eos_token_id": uint32(1),
	}
}

// spmKV is a small SentencePiece vocabulary of pairs: letters, their doublings, a few words, bytes.
func spmKV() map[string]any {
	tokens := []string{"<unk>", "<s>", "</s>"}
	types := []int32{2, 3, 3}
	scores := []float32{0, 0, 0}
	add := func(text string, kind int32, score float32) {
		tokens, types, scores = append(tokens, text), append(types, kind), append(scores, score)
	}
	for b := range 256 {
		const hex = "0123456789ABCDEF"
		add("<0x"+string(hex[b>>4])+string(hex[b&15])+">", 6, 0)
	}
	for i, s := range strings.Fields("aa aaaa aaaaaaaa ▁a ▁▁ ▁▁▁▁ on ▁on ce ▁once th he the ▁the ▁t") {
		add(s, 1, float32(-i))
	}
	for i, s := range strings.Split("▁abcdefghijklmnopqrstuvwxyz", "") {
		add(s, 1, float32(-100-i))
	}
	return map[string]any{
		"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types, "tokenizer.ggml.scores": scores,
		"tokenizer.ggml.bos_token_id": uint32(1), "tokenizer.ggml.eos_token_id": uint32(2), "tokenizer.ggml.unknown_token_id": uint32(0),
	}
}

// unigramKV is the same vocabulary under the unigram model.
func unigramKV() map[string]any {
	kv := spmKV()
	kv["tokenizer.ggml.model"] = "t5"
	kv["tokenizer.ggml.add_space_prefix"] = true
	return kv
}

func fromKV(t testing.TB, kv map[string]any) *Tokenizer {
	t.Helper()
	tok, err := FromGGUF(kv)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// hostile texts of n bytes: what makes a careless pre-tokenizer, merge loop or normaliser quadratic.
func hostile(n int) map[string]string {
	n = max(n, 8)
	fill := func(s string) string { return strings.Repeat(s, n/len(s)+1)[:n] }
	r := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, n)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	digits := make([]byte, 0, n)
	for len(digits) < n {
		digits = append(digits, "0123456789 ²½Ⅷ٣"[r.IntN(20)])
	}
	return map[string]string{
		"letter": fill("a"), "capital": fill("A"), "space": fill(" "), "break": fill("\n"), "space, one letter": fill(" ")[1:] + "x",
		"space, one ideograph": fill(" ")[3:] + "中", "break, then space": "\n" + fill(" ")[1:], "emoji": fill("😀"), "ideograph": fill("中"),
		"digit": fill("7"), "digits": string(digits), "mark": fill("\u0301"), "two marks": fill("\u0301\u0323"), "case": fill("aB"),
		"caseless, then capital": fill("あ")[:n/2] + fill("A")[n/2:], "apostrophe": fill("'"), "no-break space": fill("\u00a0"),
		"control": fill("\x00"), "bracket": fill("<"), "half a token": fill("<｜begin▁of▁"), "noise": string(noise), "hangul": fill("\u1100\u1161\u11a8"),
		"metaspace": fill("▁"), "word and blanks": fill("once   "),
	}
}

// TestLinear checks that ten times the text takes no more than some ten times as long: a quadratic step would take a hundred times.
func TestLinear(t *testing.T) {
	toks := map[string]*Tokenizer{"llama": fromKV(t, spmKV()), "t5": fromKV(t, unigramKV()), "tale": readTokenizer(t, "testdata/tale")}
	if !testing.Short() {
		linear(t, toks, 1_000_000, "letter", "space", "emoji", "digits")
	}
	for _, pre := range []string{"gpt-2", "starcoder", "falcon", "llama-bpe", "qwen2", "qwen35", "seed-coder", "gpt-4o", "tekken", "kimi-k2",
		"deepseek-llm", "deepseek-coder"} {
		toks[pre] = fromKV(t, taleKV(t, pre))
	}
	linear(t, toks, 50_000, slices.Collect(maps.Keys(hostile(0)))...)
}

func linear(t *testing.T, toks map[string]*Tokenizer, n int, kinds ...string) {
	t.Helper()
	large, small := hostile(n), hostile(n/10)
	for _, name := range slices.Sorted(maps.Keys(toks)) {
		tok := toks[name]
		for _, kind := range kinds {
			text := large[kind]
			measure := func(text string, runs int) time.Duration {
				best := time.Duration(1 << 62)
				for range runs {
					start := time.Now()
					tok.Encode(text, true, true)
					best = min(best, time.Since(start))
				}
				return best
			}
			var one, ten time.Duration
			for try := range 8 { // other work on the machine can spoil a measurement, not eight
				one, ten = measure(small[kind], 3), measure(text, 1+try)
				if ten < 30*one+5*time.Millisecond {
					break
				}
			}
			if ten >= 30*one+5*time.Millisecond {
				t.Errorf("%s, %s: %v for %d bytes, %v for %d", name, kind, one, len(small[kind]), ten, len(text))
			}
		}
	}
}
