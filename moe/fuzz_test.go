package moe_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/internal/testkit"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
	"github.com/coterie-go/coterie/quant"
	"github.com/stretchr/testify/require"
)

// A patch list stands for a file of megabytes: each 5 bytes are a place, 4 bytes
// modulo the length of the region, and what is xored to the byte there.
func patch(data []byte, list []byte) (undo func()) {
	type old struct {
		at int
		b  byte
	}
	var before []old
	for ; len(list) >= 5 && len(before) < 64; list = list[5:] {
		at := int(binary.LittleEndian.Uint32(list)) % len(data)
		before = append(before, old{at, data[at]})
		data[at] ^= list[4]
	}
	return func() {
		for _, o := range slices.Backward(before) {
			data[o.at] = o.b
		}
	}
}

// headerSize is where the data of the embedded model's tensors begin.
func headerSize(t testing.TB, data []byte) int {
	f, err := gguf.FromBytes(data, quant.SizeOf)
	require.NoError(t, err)
	first := int64(len(data))
	for _, x := range f.Tensors() {
		first = min(first, x.Offset)
	}
	return int(first)
}

// metadata returns where the values of some keys lie in the header.
func metadata(data []byte, keys ...string) (at []uint32) {
	for _, k := range keys {
		if i := strings.Index(string(data[:1<<20]), k); i >= 0 {
			at = append(at, uint32(i+len(k)+4)) // a type of 4 bytes lies between
		}
	}
	return at
}

// FuzzForward holds that a damaged model is refused, or computes nonsense, but
// never panics, hangs, reads outside of the file (which ends where memory does) or
// returns what is not a number; and that nothing of it is left behind.
func FuzzForward(f *testing.F) {
	data := testkit.Copy(f, tale)
	head := headerSize(f, data)
	f.Add([]byte{}, []byte{}, uint32(0), []byte{0, 30, 31})
	for _, at := range metadata(data, "embedding_length", "block_count", "expert_count", "expert_used_count", "attention.head_count", "attention.kv_lora_rank",
		"rope.dimension_count", "attention.key_length", "rope.freq_base", "expert_group_count", "expert_weights_scale", "context_length") {
		for _, x := range []byte{1, 0x80, 0xff} {
			for byt := range uint32(4) {
				f.Add(append(binary.LittleEndian.AppendUint32(nil, at+byt), x), []byte{}, uint32(0), []byte{1, 2})
			}
		}
	}
	f.Add([]byte{}, []byte{0, 0, 1, 0, 0x7f, 1, 0, 1, 0, 0xff}, uint32(0), []byte{1, 2})
	f.Add([]byte{}, []byte{}, uint32(1), []byte{1, 2})
	f.Add([]byte{}, []byte{}, uint32(5_000_000), []byte{1, 2})
	ctx := context.Background()
	f.Fuzz(func(t *testing.T, header, body []byte, cut uint32, text []byte) {
		defer patch(data[:head], header)()
		defer patch(data[head:], body)()
		if len(text) > 12 {
			text = text[:12]
		}
		start := time.Now()
		m, err := moe.OpenBytes(data[int(cut)%len(data):len(data):len(data)], moe.WithThreads(1+len(text)%2))
		if cut == 0 && err == nil {
			defer m.Close()
			ids := make([]int32, len(text))
			for i, b := range text {
				ids[i] = int32(b) * 8 % int32(m.Config().Vocab)
			}
			s := m.NewState()
			err = finiteLogits(m.ForwardAll(ctx, s, ids))
			require.NotErrorIs(t, err, errNotFinite)
			require.NotErrorIs(t, err, moe.ErrFile, "read outside")
			if err == nil { // one more, alone
				err = finiteLogits(m.Forward(ctx, s, ids[:1]))
				require.NotErrorIs(t, err, errNotFinite)
				require.NotErrorIs(t, err, moe.ErrFile, "read outside")
			}
			if tok, err := m.Tokenizer(); err == nil {
				tok.Decode(tok.Encode(string(text), true, true), true)
			}
		} else if err == nil {
			m.Close()
			t.Fatalf("the last %d bytes alone were opened", len(data)-int(cut)%len(data))
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Fatalf("%v", d)
		}
	})
}

var errNotFinite = errors.New("returned what is no finite number")

func finiteLogits(logits []float32, err error) error {
	if err != nil {
		return err
	}
	for i, v := range logits {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("%w: logit %d is %v", errNotFinite, i, v)
		}
	}
	return nil
}

// tryConfig opens a family's weights with another configuration and uses what
// opens. Nothing may panic, hang or give what is no number.
func tryConfig(files map[string][]byte, config []byte) error {
	files = maps.Clone(files)
	files["config.json"] = config
	m, err := moe.OpenFiles(files, moe.WithThreads(1))
	if err != nil {
		return err
	}
	defer m.Close()
	s := m.NewState()
	ids := make([]int32, min(9, m.Config().Context, m.Config().Vocab))
	for i := range ids {
		ids[i] = int32(i)
	}
	if err := finiteLogits(m.ForwardAll(context.Background(), s, ids)); err != nil {
		return err
	}
	f, err := s.Fork()
	if err != nil {
		return err
	}
	return finiteLogits(m.Forward(context.Background(), f, ids[:1]))
}

// setKey puts a value, JSON or else a text, in the place of the i-th key of a
// configuration, those of objects within it included.
func setKey(c map[string]any, i int, value string) {
	var v any = value
	if json.Valid([]byte(value)) {
		v = json.RawMessage(value)
	}
	type place struct {
		m   map[string]any
		key string
	}
	var places []place
	for _, key := range slices.Sorted(maps.Keys(c)) {
		places = append(places, place{c, key})
		if sub, ok := c[key].(map[string]any); ok {
			for _, k := range slices.Sorted(maps.Keys(sub)) {
				places = append(places, place{sub, k})
			}
		}
	}
	p := places[i%len(places)]
	p.m[p.key] = v
}

// FuzzConfig changes two keys of a family's config.json over its weights.
func FuzzConfig(f *testing.F) {
	families := moetest.Families()
	files := make([]map[string][]byte, len(families))
	for i, name := range families {
		files[i] = randomFiles(f, name)
		f.Add(uint8(i), uint16(i), oddValues[i%len(oddValues)], uint16(3*i), "1")
	}
	f.Fuzz(func(t *testing.T, family uint8, key1 uint16, value1 string, key2 uint16, value2 string) {
		own := files[int(family)%len(files)]
		var c map[string]any
		require.NoError(t, json.Unmarshal(own["config.json"], &c))
		setKey(c, int(key1), value1)
		setKey(c, int(key2), value2)
		config, err := json.Marshal(c)
		if err != nil {
			return
		}
		start := time.Now()
		require.NotErrorIs(t, tryConfig(own, config), errNotFinite)
		if d := time.Since(start); d > 20*time.Second {
			t.Fatalf("%v", d)
		}
	})
}

// oddValues are what no key of a configuration should be.
var oddValues = []string{
	"0", "-1", "1", "2", "3", "5", "7", "16", "48", "64", "65536", "2147483647", "2147483648", "9223372036854775807", "1e300", "-1e300", "1e-300", "0.5", "1.5", "1e999",
	"null", "true", "false", `""`, `"x"`, "[]", "[0]", "[1,2,3]", "[-1]", "[null]", `["x"]`, "[[]]", "{}", `{"factor":0}`, `{"rope_type":"yarn"}`, "[1e300,1e300]",
}

// TestConfigOdd puts odd values in the place of each key, nested ones too.
func TestConfigOdd(t *testing.T) {
	families := moetest.Families()
	values := oddValues
	if !long() {
		families = []string{"deepseek-v3.2", "gpt-oss", "qwen3-next", "llama4", "phimoe"}
	}
	n, opened := 0, 0
	for _, name := range families {
		files := randomFiles(t, name)
		var c map[string]any
		require.NoError(t, json.Unmarshal(files["config.json"], &c))
		try := func(m map[string]any, key string) {
			old := m[key]
			defer func() { m[key] = old }()
			for i, v := range values {
				if !long() && i%3 != n%3 {
					n++
					continue
				}
				m[key] = json.RawMessage(v)
				data, err := json.Marshal(c)
				if err != nil {
					continue // 1e999 is a number of JSON, but nested not of Go's encoder
				}
				start := time.Now()
				err = tryConfig(files, data)
				if n++; err == nil {
					opened++
				}
				if errors.Is(err, errNotFinite) {
					t.Errorf("%s, %s = %s: %v", name, key, v, err)
				}
				if d := time.Since(start); d > 5*time.Second {
					t.Errorf("%s, %s = %s: took %v", name, key, v, d)
				}
			}
		}
		for _, key := range slices.Sorted(maps.Keys(c)) {
			try(c, key)
			if sub, ok := c[key].(map[string]any); ok {
				for _, k := range slices.Sorted(maps.Keys(sub)) {
					try(sub, k)
				}
			}
		}
	}
	t.Logf("%d configurations, of which %d run", n, opened)
}
