package tokenizer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// shared is where the reference data lies that is too large for the repository; tests that need it skip when it is not there.
const shared = "../../../shared"

type sample struct {
	Text    string
	IDs     []int32
	Decoded string
}

func readSamples(t *testing.T, path string) []sample {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []sample
	for s := bufio.NewScanner(f); s.Scan(); {
		var x sample
		if err := json.Unmarshal(s.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		list = append(list, x)
	}
	if len(list) == 0 {
		t.Fatalf("%s is empty", path)
	}
	return list
}

func readTokenizer(t testing.TB, dir string) *Tokenizer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "tokenizer_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := FromJSON(data, config)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// check holds a tokenizer against what the reference makes of the samples, in both directions, whole and token by token.
func check(t *testing.T, tok *Tokenizer, samples []sample) {
	t.Helper()
	for _, s := range samples {
		if ids := tok.Encode(s.Text, false, true); !slices.Equal(ids, s.IDs) {
			t.Errorf("Encode(%q) = %v, want %v", s.Text, ids, s.IDs)
		}
		if text := tok.Decode(s.IDs, true); text != s.Decoded {
			t.Errorf("Decode(%v) = %q, want %q", s.IDs, text, s.Decoded)
		}
		if text := stream(t, tok, s.IDs); text != s.Decoded {
			t.Errorf("streamed %v = %q, want %q", s.IDs, text, s.Decoded)
		}
	}
}

// stream decodes token by token and checks that nothing but whole characters comes out.
func stream(t *testing.T, tok *Tokenizer, ids []int32) string {
	t.Helper()
	d := tok.NewDecoder(true)
	var b strings.Builder
	for _, id := range ids {
		s := d.Next(id)
		if s != strings.ToValidUTF8(s, "?") {
			t.Errorf("token %d of %v gave %q", id, ids, s)
		}
		b.WriteString(s)
	}
	b.WriteString(d.Flush())
	return b.String()
}

// TestReference holds the families' tokenizers against transformers. The directories in testdata come from the reference data.
func TestReference(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*/tokens.jsonl")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no cases in testdata", err)
	}
	more, _ := filepath.Glob(shared + "/golden/*/tokens.jsonl")
	for _, path := range append(dirs, more...) {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			samples := readSamples(t, path)
			check(t, readTokenizer(t, dir), samples)
			twin := filepath.Join(shared, "golden/gguf", filepath.Base(dir)+".gguf")
			if _, err := os.Stat(twin); err != nil {
				return
			}
			tok, err := FromGGUF(readKV(t, twin))
			if err != nil {
				t.Fatal(err)
			}
			check(t, tok, samples)
		})
	}
}

// TestVocabularies holds real vocabularies against llama.cpp's own tests of them.
func TestVocabularies(t *testing.T) {
	paths, _ := filepath.Glob(shared + "/vocab/*.gguf")
	if len(paths) == 0 {
		t.Skip("no reference data")
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".gguf"), func(t *testing.T) {
			tok, err := FromGGUF(readKV(t, path))
			if err != nil {
				t.Fatal(err)
			}
			in, err := os.ReadFile(path + ".inp")
			if err != nil {
				t.Fatal(err)
			}
			out, err := os.ReadFile(path + ".out")
			if err != nil {
				t.Fatal(err)
			}
			texts := strings.Split(strings.TrimSuffix(string(in), "\n__ggml_vocab_test__\n"), "\n__ggml_vocab_test__\n")
			lines := bytes.Split(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"))
			if len(texts) != len(lines) {
				t.Fatalf("%d texts, %d lines of ids", len(texts), len(lines))
			}
			var samples []sample
			for i, text := range texts {
				s := sample{Text: text, Decoded: text}
				for _, f := range bytes.Fields(lines[i]) {
					id, err := strconv.Atoi(string(f))
					if err != nil {
						t.Fatal(err)
					}
					s.IDs = append(s.IDs, int32(id))
				}
				samples = append(samples, s)
			}
			check(t, tok, samples)
		})
	}
}
