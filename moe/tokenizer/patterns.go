package tokenizer

import "strings"

// The sets of characters that the patterns of DeepSeek's tokenizers spell out.
const (
	japanese   = "\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff"
	asian      = "\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff"
	wideMarks  = "!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002"
	casedChars = "" +
		"A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377" +
		"\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5" +
		"\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d" +
		"\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4" +
		"\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d" +
		"\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4" +
		"\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06" +
		"\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2" +
		"\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943"
)

// unlimited is the limit of a run without one.
const unlimited = int(^uint(0) >> 1)

// The patterns, as scanners.
var (
	llama3  = words{digits: 3, tail: "\r\n"}
	qwen2   = words{digits: 1, tail: "\r\n"}
	qwen35  = words{digits: 1, tail: "\r\n", with: mark}
	seed    = words{digits: 1}
	o200k   = cased{digits: 3, tail: "\r\n/", contractions: true}
	tekken  = cased{digits: 1, tail: "\r\n/"}
	kimiK2  = cased{digits: 3, tail: "\r\n", contractions: true, han: true}
	number1 = runs{number, 1}
	number3 = runs{number, 3}
	numbers = runs{number, unlimited}
	letters = spaced{letter}
	puncts  = spaced{punct}
)

// scannerOf returns the scanner of a regular expression, which is recognised by its text, or nil. Line breaks and quotes may be
// written out or escaped.
func scannerOf(pattern string) scanner {
	switch strings.NewReplacer("\r", `\r`, "\n", `\n`, `\"`, `"`).Replace(pattern) {
	case `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
		`'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`:
		return gpt2{}
	case `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
		`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`:
		return llama3
	case `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
		`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`:
		return qwen2
	case `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:
		return qwen35
	case `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+`:
		return seed
	case `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`:
		return o200k
	case `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|` +
		`\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`:
		return tekken
	case `[\p{Han}]+|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:
		return kimiK2
	case "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|" +
		`[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:
		return deepseek3{}
	case `[\r\n]`:
		return oneBreak{}
	case `\s+$`:
		return blankEnd{}
	case `\s?\p{L}+`:
		return letters
	case `\s?\p{P}+`:
		return puncts
	case `\p{N}`:
		return number1
	case `\p{N}{1,3}`:
		return number3
	case `\p{N}+`:
		return numbers
	case `[0-9][0-9][0-9]`:
		return threeDigits{}
	case "[" + japanese + "]+":
		return newSet(japanese, false)
	case "[" + asian + "]+":
		return newSet(asian, false)
	case `\s?[` + wideMarks + "]+":
		return newSet(wideMarks, true)
	case `\s?[` + casedChars + "]+":
		return newSet(casedChars, true)
	}
	return nil
}

// pre is what a name in GGUF's tokenizer.ggml.pre stands for.
type pre struct {
	scanners     []scanner
	compose      bool // the text is normalised to form C first
	ignoreMerges bool // a word that is a token is that token
	addBOS       bool // where the file does not say
}

// preOf returns the pre-tokenizer of a GGUF name. The names, and which of them share a pattern, are llama.cpp's; compose is what the
// original tokenizers do and llama.cpp leaves out.
func preOf(name string) (pre, bool) {
	switch name {
	case "gpt-2", "phi-2", "gigachat", "exaone4", "a.x-4.0", "mellum", "jais", "trillion", "granite-docling":
		return pre{scanners: []scanner{gpt2{}}}, true
	case "mpt", "olmo":
		return pre{scanners: []scanner{gpt2{}}, compose: true}, true
	case "starcoder", "refact", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2":
		return pre{scanners: []scanner{number1, gpt2{}}}, true
	case "command-r":
		return pre{scanners: []scanner{number1, gpt2{}}, compose: true}, true
	case "falcon":
		return pre{scanners: []scanner{marks{unlimited}, gpt2{}, threeDigits{}}}, true
	case "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2":
		return pre{scanners: []scanner{llama3}, ignoreMerges: true, addBOS: true}, true
	case "dbrx", "smaug-bpe", "chatglm-bpe", "glm4":
		return pre{scanners: []scanner{llama3}}, true
	case "qwen2", "hunyuan":
		return pre{scanners: []scanner{qwen2}, compose: true}, true
	case "deepseek-r1-qwen", "megrez", "stablelm2", "solar-open", "grok-2", "bailingmoe", "bailingmoe2", "llada-moe":
		return pre{scanners: []scanner{qwen2}}, true
	case "qwen35":
		return pre{scanners: []scanner{qwen35}, compose: true}, true
	case "seed-coder":
		return pre{scanners: []scanner{seed}}, true
	case "gpt-4o", "llama4", "kanana2", "minimax-m2":
		return pre{scanners: []scanner{o200k}}, true
	case "tekken":
		return pre{scanners: []scanner{tekken}, ignoreMerges: true, addBOS: true}, true
	case "kimi-k2":
		return pre{scanners: []scanner{kimiK2}}, true
	case "deepseek-llm":
		return pre{scanners: []scanner{
			oneBreak{}, newSet(casedChars, true), newSet(wideMarks, true), blankEnd{}, newSet(asian, false), numbers,
		}}, true
	case "deepseek-coder":
		return pre{scanners: []scanner{oneBreak{}, letters, puncts, newSet(asian, false), number1}}, true
	case "deepseek-v3", "hunyuan-dense", "hy_v4", "joyai-llm":
		return pre{scanners: []scanner{number3, newSet(japanese, false), deepseek3{}}}, true
	}
	return pre{}, false
}
