package moetest

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-go/coterie/internal/safetensors"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/moe"
)

// families/<name>.txt is a tiny model of a real family: its config.json on the
// first line, then its tensors with type and shape, as the hub names them.
//
//go:embed families/*.txt
var families embed.FS

// ErrFamily says that there is no family of a name.
var ErrFamily = errors.New("moetest: unknown family")

// Families returns the names that Random knows, in alphabetical order.
func Families() []string {
	entries, err := families.ReadDir("families")
	if err != nil {
		return nil // cannot be: the folder is embedded
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".txt"))
	}
	slices.Sort(names)
	return names
}

// Random opens a tiny model of a family (two to four layers of width 64, a
// vocabulary of 384 bytes and tokens) whose weights are drawn from seed. The same
// seed gives the same weights, and so the same logits, everywhere. Close it when
// done.
func Random(family string, seed uint64, opts ...moe.Option) (*moe.Model, error) {
	files, err := files(family, seed)
	if err != nil {
		return nil, err
	}
	return moe.OpenFiles(files, opts...)
}

// WriteRandom writes the model that Random opens as a directory in the hub's
// layout.
func WriteRandom(dir, family string, seed uint64) error {
	files, err := files(family, seed)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func files(family string, seed uint64) (map[string][]byte, error) {
	text, err := families.ReadFile("families/" + family + ".txt")
	if err != nil {
		return nil, fmt.Errorf("%w: want one of %s, found %q", ErrFamily, strings.Join(Families(), ", "), family)
	}
	config, tensors, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	var list []safetensors.TensorData
	for line := range strings.Lines(tensors) {
		t, err := tensor(strings.Fields(line), seed)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", family, err)
		}
		list = append(list, t)
	}
	var weights bytes.Buffer
	if err := safetensors.Write(&weights, map[string]string{"format": "pt"}, list); err != nil {
		return nil, err
	}
	return map[string][]byte{
		"config.json": []byte(config), "model.safetensors": weights.Bytes(), "tokenizer.json": byteTokenizer(384),
	}, nil
}

// tensor draws one tensor: its values depend on the seed and its name alone.
func tensor(f []string, seed uint64) (t safetensors.TensorData, err error) {
	if len(f) != 3 {
		return t, fmt.Errorf("want name, type and shape, found %q", f)
	}
	t.Name, t.Dtype = f[0], safetensors.Dtype(f[1])
	n, in := 1, 1
	for _, s := range strings.Split(f[2], "x") {
		if in, err = strconv.Atoi(s); err != nil {
			return t, err
		}
		t.Shape = append(t.Shape, int64(in))
		n *= in
	}
	h := fnv.New64a()
	h.Write([]byte(t.Name))
	rng := rand.New(rand.NewPCG(seed, h.Sum64()))
	mean, spread := 0.0, 1.2/math.Sqrt(float64(in))
	switch {
	case strings.Contains(t.Name, "norm") && strings.HasSuffix(t.Name, "weight"):
		mean, spread = 1, 0.1
	case strings.HasSuffix(t.Name, "scale_inv"):
		mean, spread = 0.01, 0.002
	case len(t.Shape) == 1:
		spread = 0.1
	case strings.Contains(t.Name, "embed"):
		spread = 1
	}
	for range n {
		v := float32(mean + spread*rng.NormFloat64())
		switch t.Dtype {
		case "BF16":
			b := kernels.F32ToBF16(v)
			t.Data = append(t.Data, byte(b), byte(b>>8))
		case "F32":
			b := math.Float32bits(v)
			t.Data = append(t.Data, byte(b), byte(b>>8), byte(b>>16), byte(b>>24))
		case "F8_E4M3": // any but the two that are not numbers
			t.Data = append(t.Data, byte(rng.IntN(127))|byte(rng.IntN(2))<<7)
		case "U8":
			b := byte(rng.IntN(256))
			if strings.HasSuffix(t.Name, "_scales") {
				b = 123 + b%3 // 2**-4 to 2**-2
			}
			t.Data = append(t.Data, b)
		default:
			return t, fmt.Errorf("%s: unknown type %s", t.Name, t.Dtype)
		}
	}
	return t, nil
}

// byteTokenizer is a tokenizer.json of the 256 bytes after a begin and an end
// token, filled up with tokens for letters doubled.
func byteTokenizer(size int) []byte {
	vocab := map[string]int{"<|begin|>": 0, "<|end|>": 1}
	var merges [][2]string
	id := 2
	put := func(s string) {
		if _, ok := vocab[s]; !ok && id < size {
			vocab[s] = id
			id++
		}
	}
	for b := range 256 {
		put(byteRune(b))
	}
	for c := 'a'; c <= 'z'; c++ {
		for d := 'a'; d <= 'z' && id < size; d++ {
			put(string(c) + string(d))
			merges = append(merges, [2]string{string(c), string(d)})
		}
	}
	special := func(id int, s string) map[string]any {
		return map[string]any{"id": id, "content": s, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
	}
	data, err := json.Marshal(map[string]any{
		"version":      "1.0",
		"added_tokens": []any{special(0, "<|begin|>"), special(1, "<|end|>")},
		"pre_tokenizer": map[string]any{
			"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
		},
		"post_processor": map[string]any{
			"type":   "TemplateProcessing",
			"single": []any{map[string]any{"SpecialToken": map[string]any{"id": "<|begin|>", "type_id": 0}}, map[string]any{"Sequence": map[string]any{"id": "A", "type_id": 0}}},
			"pair":   []any{},
			"special_tokens": map[string]any{
				"<|begin|>": map[string]any{"id": "<|begin|>", "ids": []int{0}, "tokens": []string{"<|begin|>"}},
			},
		},
		"decoder": map[string]any{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
		"model":   map[string]any{"type": "BPE", "vocab": vocab, "merges": merges},
	})
	if err != nil {
		panic("moetest: a tokenizer of ours does not marshal: " + err.Error())
	}
	return data
}

// byteRune is the letter that stands for a byte in byte-level vocabularies
// (GPT-2, 2019): printable bytes stand for themselves, the others for letters from
// 256 on, in order.
func byteRune(b int) string {
	printable := func(b int) bool { return b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae && b <= 0xff }
	if printable(b) {
		return string(rune(b))
	}
	n := 256
	for i := range b {
		if !printable(i) {
			n++
		}
	}
	return string(rune(n))
}
