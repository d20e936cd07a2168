package moe_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/coterie-go/coterie/internal/testkit"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
	"github.com/stretchr/testify/require"
)

// What a damaged checkpoint is opened from, and when it is damaged: bits of
// FuzzForward's first argument, over the number of the base.
const (
	onDisk     = 1 << 3
	withBudget = 1 << 4 // of those on disk
	late       = 1 << 7 // bytes change after Open; on disk

	cutBefore  = 1 << 5
	cutOpen    = 2 << 5 // on disk, as are
	cutRunning = 3 << 5 // after the first call
)

// FuzzForward holds that a damaged model, of Tale in both layouts and of families
// whose weights or layers are of other kinds, is refused with one of the package's
// errors, or computes nonsense, but never panics, hangs, reads outside of the file
// (which ends where memory does), takes more memory than is promised or returns what
// is not a number. Damage is to the configuration, the tokenizer, the list of tensors,
// the tensors, and the length, before and while the file is mapped.
func FuzzForward(f *testing.F) {
	bases := damagedBases(f)
	f.Add(uint8(0), []byte{}, uint32(0), []byte{0, 30, 31})
	config := bases[0].files[bases[0].weights][:bases[0].regions[configRegion][0].n]
	for _, key := range []string{"embedding_length", "block_count", "expert_count", "expert_used_count", "attention.head_count", "attention.kv_lora_rank",
		"rope.dimension_count", "attention.key_length", "rope.freq_base", "expert_group_count", "expert_weights_scale", "context_length"} {
		at := bytes.Index(config, []byte(key)) + len(key) + 4 // a type of 4 bytes lies between
		for _, x := range []byte{1, 0x80, 0xff} {
			for byt := range 4 {
				f.Add(uint8(0), append(binary.LittleEndian.AppendUint32(nil, spot(configRegion, 0, at+byt)), x), uint32(0), []byte{1, 2})
			}
		}
	}
	for i, b := range bases {
		for region := range 4 {
			for _, how := range []int{0, onDisk, onDisk | withBudget, onDisk | late} {
				list := append(binary.LittleEndian.AppendUint32(nil, spot(region, 3, 101)), 0x7f)
				f.Add(uint8(i|how), list, uint32(0), []byte{1, 2, 3})
			}
		}
		if b == nil {
			continue
		}
		size := len(b.files[b.weights])
		for _, how := range []int{cutBefore, onDisk | cutBefore, onDisk | cutOpen, onDisk | cutRunning, onDisk | withBudget | cutRunning} {
			for _, n := range []int{1, size / 3, size - 1} {
				f.Add(uint8(i|how), []byte{}, uint32(n), []byte{1, 2, 3})
			}
		}
	}
	f.Fuzz(func(t *testing.T, how uint8, list []byte, cut uint32, text []byte) {
		b := bases[int(how&7)%len(bases)]
		if b == nil {
			t.Skip("no ../shared/tale")
		}
		start := testkit.CPUTime(t)
		forwardDamaged(t, b, how, list, int(cut), text[:min(len(text), 12)])
		if d := testkit.CPUTime(t) - start; d > 20*time.Second {
			t.Fatalf("%v", d)
		}
	})
}

// TestForwardDamaged: the machinery of FuzzForward does the damage that it says.
func TestForwardDamaged(t *testing.T) {
	bases := damagedBases(t)
	first := func(region int) []byte {
		return append(binary.LittleEndian.AppendUint32(nil, spot(region, 0, 0)), 0xff)
	}
	for i, b := range bases {
		if b == nil {
			continue
		}
		for _, c := range []struct {
			name string
			how  uint8
			list []byte
			cut  int
			want error
		}{
			{"sound, in memory", 0, nil, 0, nil},
			{"sound, on disk", onDisk, nil, 0, nil},
			{"sound, within a budget", onDisk | withBudget, nil, 0, nil},
			{"no configuration, in memory", 0, first(configRegion), 0, moe.ErrFormat},
			{"no configuration, on disk", onDisk, first(configRegion), 0, moe.ErrFormat},
			{"short by a byte, in memory", cutBefore, nil, -1, moe.ErrFormat},
			{"short by a byte, on disk", onDisk | cutBefore, nil, -1, moe.ErrFormat},
			{"cut once open", onDisk | cutOpen, nil, 1, moe.ErrFile},
			{"cut once open, within a budget", onDisk | withBudget | cutOpen, nil, 1, moe.ErrFile},
			{"cut between calls", onDisk | cutRunning, nil, 1, moe.ErrFile},
			{"written to within a budget", onDisk | withBudget | late, first(tensorData), 0, moe.ErrFile},
			{"sound again", onDisk, nil, 0, nil},
		} {
			t.Run(fmt.Sprintf("base %d, %s", i, c.name), func(t *testing.T) {
				if c.cut < 0 {
					c.cut += len(b.files[b.weights])
				}
				require.ErrorIs(t, forwardDamaged(t, b, c.how, c.list, c.cut, []byte{1, 2, 3}), c.want)
			})
		}
	}
}

// damagedBases are Tale in both layouts and families with other weights and layers;
// nil for what is not there.
func damagedBases(t testing.TB) []*base {
	bases := []*base{baseGGUF(t, tale), nil}
	if _, err := os.Stat("../../shared/tale/config.json"); err == nil {
		bases[1] = baseHub(t, "../../shared/tale")
	}
	for _, name := range []string{"deepseek-v3", "gpt-oss-mxfp4", "qwen3-next"} {
		bases = append(bases, baseHub(t, "testdata/golden/"+name))
	}
	return bases
}

// forwardDamaged opens a damaged base, uses what opens, and returns the first error.
func forwardDamaged(t *testing.T, b *base, how uint8, list []byte, cut int, text []byte) error {
	size := len(b.files[b.weights])
	disk, when := how&onDisk != 0, how&cutRunning
	if disk && runtime.GOOS != "linux" {
		t.Skip("other systems refuse to truncate a mapped file, or differ in when they fault")
	}
	if !disk && when != 0 {
		when = cutBefore
	}
	if cut %= size; when == 0 {
		cut = size
	}
	opts := []moe.Option{moe.WithThreads(1 + len(text)%2)}
	if disk && how&withBudget != 0 {
		opts = append(opts, moe.WithExpertBudget(b.budget))
	}
	undo := func() {}
	if how&late == 0 || !disk {
		undo = b.damage(t, list, disk)
	}
	defer func() { undo() }()
	shorten := func(now uint8) {
		if disk && when == now {
			t.Cleanup(b.cut(t, cut))
		}
	}
	shorten(cutBefore)
	from := allocated()
	m, err := b.open(disk, cut, opts...)
	if took, limit := allocated()-from, 4*b.size()+(16<<20); took > uint64(limit) {
		t.Fatalf("opening took %d bytes, want at most %d", took, limit)
	}
	if when == cutBefore && err == nil {
		m.Close()
		t.Fatalf("opened the first %d of %d bytes", cut, size)
	}
	if err != nil {
		among(t, err, moe.ErrFormat, moe.ErrFamily, moe.ErrConfig, moe.ErrTensor, moe.ErrNumber, moe.ErrOption)
		return err
	}
	defer m.Close()
	allowed := []error{moe.ErrNumber, moe.ErrContext}
	if disk && when != 0 || how&late != 0 {
		allowed = append(allowed, moe.ErrFile)
	}
	if how&late != 0 && disk {
		undo = b.damage(t, list, disk)
	}
	shorten(cutOpen)
	ctx, s, ids := context.Background(), m.NewState(), make([]int32, len(text)+1)
	for i, c := range text {
		ids[i] = int32(c) * 8 % int32(m.Config().Vocab)
	}
	err = finiteLogits(m.ForwardAll(ctx, s, ids))
	among(t, err, allowed...)
	if when != 0 || err == nil {
		shorten(cutRunning)
		f, forked := s.Fork()
		require.NoError(t, forked)
		again := finiteLogits(m.Forward(ctx, f, ids[:1])) // alone
		among(t, again, allowed...)
		err = cmp.Or(err, again)
	}
	if tok, err := m.Tokenizer(); err == nil {
		tok.Decode(tok.Encode(string(text), true, true), true)
	}
	return err
}

// among holds that an error is one of those allowed.
func among(t *testing.T, err error, allowed ...error) {
	t.Helper()
	if err != nil && !slices.ContainsFunc(allowed, func(e error) bool { return errors.Is(err, e) }) {
		t.Fatalf("an error of another kind: %v", err)
	}
}

// allocated is all that was ever allocated.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
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
		start := testkit.CPUTime(t)
		require.NotErrorIs(t, tryConfig(own, config), errNotFinite)
		if d := testkit.CPUTime(t) - start; d > 20*time.Second {
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
				start := testkit.CPUTime(t)
				err = tryConfig(files, data)
				if n++; err == nil {
					opened++
				}
				if errors.Is(err, errNotFinite) {
					t.Errorf("%s, %s = %s: %v", name, key, v, err)
				}
				if d := testkit.CPUTime(t) - start; d > 5*time.Second {
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
