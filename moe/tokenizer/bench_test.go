package tokenizer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpus returns some 300 KB of English, and the mixed texts of the reference tests.
func corpus(b *testing.B) map[string]string {
	text, err := os.ReadFile(shared + "/tale/heldout.txt")
	if err != nil {
		b.Skip("no reference data")
	}
	mixed, err := os.ReadFile(shared + "/vocab/ggml-vocab-gpt-2.gguf.inp")
	if err != nil {
		b.Skip("no reference data")
	}
	return map[string]string{"english": string(text), "mixed": strings.Repeat(string(mixed), 60)}
}

func BenchmarkEncode(b *testing.B) {
	texts := corpus(b)
	for _, name := range []string{"gpt-2", "deepseek-llm", "starcoder", "phi-3"} {
		tok, err := FromGGUF(readKV(b, filepath.Join(shared, "vocab/ggml-vocab-"+name+".gguf")))
		if err != nil {
			b.Fatal(err)
		}
		for kind, text := range texts {
			b.Run(name+"/"+kind, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				var ids []int32
				for b.Loop() {
					ids = tok.AppendEncode(ids[:0], text, false, false)
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	text := corpus(b)["english"]
	tok := readTokenizer(b, "testdata/tale")
	ids := tok.Encode(text, false, false)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tok.Decode(ids, false)
	}
}

func BenchmarkLoad(b *testing.B) {
	kv := readKV(b, shared+"/vocab/ggml-vocab-deepseek-llm.gguf")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := FromGGUF(kv); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMerge compares the two ways to merge a word, the reason for shortWord.
func BenchmarkMerge(b *testing.B) {
	tok := readTokenizer(b, "testdata/tale")
	m := tok.model.(*bpe)
	text := "once upon a time there was a little girl who had no one in all the world and she went away"
	for _, n := range []int{4, 8, 12, 16, 20} {
		word := text[:n]
		b.Run(fmt.Sprintf("short/%d", n), func(b *testing.B) {
			var buf [shortWord]piece
			for b.Loop() {
				mergeShort(m.rule, word, m.split(buf[:0], word))
			}
		})
		b.Run(fmt.Sprintf("long/%d", n), func(b *testing.B) {
			var s []piece
			var l long
			for b.Loop() {
				s = l.merge(m.rule, word, m.split(s[:0], word))
			}
		})
	}
}

func BenchmarkClasses(b *testing.B) {
	for b.Loop() {
		newClasses()
	}
}
