package moe

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// TestParameters holds the counts against what the makers publish. Some of them
// cut digits off where others round, and most, but not all, count the embedding
// as active.
func TestParameters(t *testing.T) {
	published := []struct {
		model         string
		total, active string // in billions, or trillions, with the digits that are published
	}{
		{"deepseek-r1", "671", "37"},
		{"deepseek-v3.2", "671", "37"},
		{"deepseek-v2", "236", "21"},
		{"deepseek-v2-lite", "15.7", "2.4"},
		{"dots.llm1", "142", "14"},
		{"ernie-4.5-21b-a3b", "21", "3"},
		{"ernie-4.5-300b-a47b", "300", "47"},
		{"glm-4.5", "355", "32"},
		{"glm-4.5-air", "106", "12"},
		{"glm-4.7-flash", "30", "3"},
		{"gpt-oss-120b", "117", "5.1"},
		{"gpt-oss-20b", "20.9", "3.6"},
		{"granite-3.0-1b-a400m", "1.3", "0.4"},
		{"granite-3.0-3b-a800m", "3.3", "0.8"},
		{"hunyuan-a13b", "80", "13"},
		{"kimi-k2", "1.0T", "32"},
		{"llama-4-maverick", "400", "17"},
		{"llama-4-scout", "109", "17"},
		{"minimax-m2", "230", "10"},
		{"mixtral-8x22b", "141", "39"},
		{"mixtral-8x7b", "46.7", "12.9"},
		{"olmoe-1b-7b", "6.9", "1.3"},
		{"phi-3.5-moe", "42", "6.6"},
		{"qwen1.5-moe-a2.7b", "14.3", "2.7"},
		{"qwen2-57b-a14b", "57", "14"},
		{"qwen3-235b-a22b", "235", "22"},
		{"qwen3-30b-a3b", "30.5", "3.3"},
		{"qwen3-next-80b-a3b", "80", "3"},
		{"qwen3.5-35b-a3b", "35", "3"},
		{"qwen3.5-397b-a17b", "397", "17"},
	}
	for _, m := range published {
		c, err := ReadConfig(filepath.Join("testdata", "configs", m.model+".json"))
		if err != nil {
			t.Error(err)
			continue
		}
		total, active := c.Parameters()
		t.Logf("%s: %.2f B, %.3f B active", m.model, float64(total)/1e9, float64(active)/1e9)
		if !agree(m.total, total) {
			t.Errorf("%s: %d parameters, published %s", m.model, total, m.total)
		}
		if embedding := int64(c.Vocab) * int64(c.Dim); !agree(m.active, active) && !agree(m.active, active+embedding) {
			t.Errorf("%s: %d active parameters, published %s", m.model, active, m.active)
		}
	}
}

// agree reports whether n is what published says, rounded or cut off to its
// digits, or within 1.2 %.
func agree(published string, n int64) bool {
	digits, unit := strings.TrimSuffix(published, "T"), 1e9
	if digits != published {
		unit = 1e12
	}
	want, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		panic(err)
	}
	_, decimals, _ := strings.Cut(digits, ".")
	last := math.Pow(10, -float64(len(decimals))) // unit of the last digit
	got := float64(n) / unit
	off := (got - want) / last
	return (off >= -0.5 && off < 1) || math.Abs(got-want) <= 0.012*want
}

// TestReadConfig: a directory and its config.json say the same, and so does a GGUF
// file, but for what it does not hold.
func TestReadConfig(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile("testdata/configs/qwen3-30b-a3b.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ReadConfig(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("directory and file differ:\n%+v\n%+v", a, b)
	}
	if a.Family != "qwen3-moe" || a.Dim != 2048 || a.Routed() != 48 || a.Router.TopK != 8 {
		t.Errorf("%+v", a)
	}
	if _, err := ReadConfig(filepath.Join(dir, "none.json")); !errors.Is(err, os.ErrNotExist) || !errors.Is(err, ErrFormat) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"architectures": ["Nobody"]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConfig(dir); !errors.Is(err, ErrFamily) {
		t.Errorf("unknown family: %v", err)
	}
}

// TestParametersOfWeights holds the count against the shapes of real checkpoints.
func TestParametersOfWeights(t *testing.T) {
	dirs, _ := goldenDirs(t)
	seen := 0
	for _, dir := range dirs {
		paths, err := filepath.Glob(filepath.Join(dir, "*", "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			c, err := openCheckpoint(filepath.Dir(p))
			if err != nil {
				t.Error(err)
				continue
			}
			var want int64
			for _, name := range c.names {
				if strings.HasSuffix(name, "_scale_inv") || strings.HasSuffix(name, "_scales") {
					continue
				}
				v, _, err := c.find(name)
				if err != nil {
					continue // prediction layers, integers
				}
				n := int64(1)
				for _, d := range v.shape {
					n *= int64(d)
				}
				if strings.HasSuffix(name, "_blocks") {
					n *= 2 // two values a byte
				}
				if !biasOfMap(name) && !strings.Contains(name, "sinks") {
					want += n
				}
			}
			got, _ := c.config.Parameters()
			if got != want {
				t.Errorf("%s: %d parameters, the tensors have %d", p, got, want)
			}
			seen++
			c.close()
		}
	}
	if seen == 0 {
		t.Skip("no checkpoints")
	}
}

func biasOfMap(name string) bool {
	return strings.HasSuffix(name, "correction_bias") || strings.HasSuffix(name, "_proj_bias") ||
		(strings.HasSuffix(name, ".bias") && !strings.Contains(name, "norm"))
}
