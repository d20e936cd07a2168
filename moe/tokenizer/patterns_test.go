package tokenizer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The patterns as the original tokenizers spell them.
const (
	patGPT2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	patLlama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patQwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patQwen35 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patLing   = `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`
	patCL100K = `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`
	patSeed   = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+`
	patO200K  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patTekken = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patKimi   = `[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patV3     = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|" + `[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patWide   = `\s?[!-/:-~！-／：-～‘-‟　-。]+`
	patAsian  = "[一-龥ࠀ-一가-\ud7ff]+"
	patJapan  = "[一-龥\u3040-ゟ゠-ヿ]+"
	patDigits = `[0-9][0-9][0-9]`
	patFalcon = "[\\p{P}$+<=>\\^~|`]+"
)

// alphabet is chosen so that short random strings meet every branch of every pattern: cases, caseless letters, marks, Han that is no
// letter, numbers of three kinds, breaks, spaces of several lengths, apostrophes and the long s, symbols, controls, bad bytes.
var alphabet = strings.Split("a|b|s|t|r|e|v|m|l|d|S|T|L|E|D|Z|é|ß|ſ|Ä|ǅ|ʰ|ª|あ|ア|中|々|〇|⺀|한|ا|ก|\u0301|\u0903|1|2|3|4|Ⅷ|½|٣| | | |\n|\r|\t|\u00a0|\u3000|\u2028|\u0085|'|'|.|,|!|/|-|(|_|$|+|`|^|<|。|！|“|©|€|😀|\U0002a6d6|\x00|\u200d|\u00ad|\ue000|\xff|\xc3", "|")

func randomText(r *rand.Rand) string {
	var b strings.Builder
	few := make([]string, 1+r.IntN(6))
	for i := range few {
		few[i] = alphabet[r.IntN(len(alphabet))]
	}
	for range r.IntN(24) {
		if r.IntN(3) == 0 {
			b.WriteString(alphabet[r.IntN(len(alphabet))])
		} else {
			b.WriteString(few[r.IntN(len(few))]) // repeats
		}
	}
	return b.String()
}

// cut cuts s by scanners in turn, as Encode does.
func cut(s string, scanners ...scanner) []string {
	rec := &recorder{}
	t := &Tokenizer{classes: testClasses, model: rec}
	stages := make([]stage, len(scanners))
	for i := range scanners {
		stages[i].scanner = scanners[i]
	}
	if s != "" {
		t.appendWords(nil, stages, s)
	}
	return rec.words
}

var testClasses = newClasses()

// recorder is a model that notes its words.
type recorder struct{ words []string }

func (r *recorder) appendWord(dst []int32, word string) []int32 {
	r.words = append(r.words, word)
	return dst
}

// TestPatterns holds every scanner against its regular expression, run by a backtracking matcher.
func TestPatterns(t *testing.T) {
	for _, pattern := range []string{
		patGPT2, patLlama3, patQwen2, patQwen35, patLing, patCL100K, patSeed, patO200K, patTekken, patKimi, patV3, patWide, patAsian, patJapan,
		patDigits, `[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, `\p{N}`, `\p{N}{1,3}`, `\p{N}+`, `\s+$`, `\s?[` + casedChars + `]+`,
		`'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
	} {
		s := scannerOf(pattern)
		if s == nil {
			t.Errorf("no scanner for %q", pattern)
			continue
		}
		compare(t, pattern, func(text string) []string { return cut(text, s) }, compile(pattern))
	}
	compare(t, "Punctuation", func(text string) []string { return cut(text, marks{unlimited}) }, compile(patFalcon))
}

func compare(t *testing.T, name string, got func(string) []string, patterns ...matchFunc) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for range 5_000 {
		text := randomText(r)
		want := []string{text}
		for _, m := range patterns {
			var words []string
			for _, w := range want {
				words = append(words, splitBy(m, w)...)
			}
			want = words
		}
		if text == "" {
			want = nil
		}
		if words := got(text); !slices.Equal(words, want) {
			t.Errorf("%s\n cuts %q\n into %q\n want %q", name, text, words, want)
			return
		}
	}
}

// TestPreNames holds the names of GGUF against the sequences of patterns that they stand for.
func TestPreNames(t *testing.T) {
	for names, patterns := range map[string][]string{
		"gpt-2 phi-2 mpt olmo jais":                   {patGPT2},
		"starcoder refact command-r smollm codeshell": {`\p{N}`, patGPT2},
		"falcon": {patFalcon, patGPT2, patDigits},
		"llama3 llama-bpe dbrx smaug-bpe chatglm-bpe glm4": {patLlama3},
		"qwen2 deepseek-r1-qwen stablelm2 hunyuan":         {patQwen2},
		"qwen35":                           {patQwen35},
		"bailingmoe bailingmoe2 llada-moe": {patLing},
		"seed-coder":                       {patSeed},
		"gpt-4o llama4 minimax-m2":         {patO200K},
		"tekken":                           {patTekken},
		"kimi-k2":                          {patKimi},
		"deepseek-v3 hunyuan-dense":        {`\p{N}{1,3}`, patJapan, patV3},
		"deepseek-coder":                   {`[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, patAsian, `\p{N}`},
		"deepseek-llm":                     {`[\r\n]`, `\s?[` + casedChars + `]+`, patWide, `\s+$`, patAsian, `\p{N}+`},
	} {
		var judges []matchFunc
		for _, p := range patterns {
			judges = append(judges, compile(p))
		}
		for _, name := range strings.Fields(names) {
			p, ok := preOf(name)
			if !ok {
				t.Errorf("%s is not known", name)
				continue
			}
			compare(t, name, func(text string) []string { return cut(text, p.scanners...) }, judges...)
		}
	}
}

func TestUnknownPatterns(t *testing.T) {
	for _, pre := range []string{"", "default", "no-such-model", "qwen2 "} {
		_, err := FromGGUF(map[string]any{"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre, "tokenizer.ggml.tokens": []string{"a"}})
		if !errors.Is(err, ErrPreTokenizer) || !strings.Contains(err.Error(), fmt.Sprintf("%q", pre)) {
			t.Errorf("pre %q: %v", pre, err)
		}
	}
	const pattern = `\p{L}+|[^\p{L}]`
	_, err := FromJSON([]byte(`{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[
		{"type":"Split","pattern":{"Regex":"\\p{L}+|[^\\p{L}]"},"behavior":"Isolated"},{"type":"ByteLevel","add_prefix_space":false}]}}`), nil)
	if !errors.Is(err, ErrPreTokenizer) || !strings.Contains(err.Error(), fmt.Sprintf("%q", pattern)) {
		t.Error(err)
	}
}
