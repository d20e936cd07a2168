package moe

import (
	"math"
	"strings"
	"testing"

	"encoding/json"
)

// ropeOf reads the rotary part of a configuration in the hub's words.
func ropeOf(t *testing.T, config string) (Config, error) {
	t.Helper()
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(config))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	k := keys{errs: new([]error), get: func(key string) (any, bool) { v, ok := m[key]; return v, ok }}
	c := Config{HeadDim: 8, Context: k.int("max_position_embeddings", 2048)}
	hubRoPE(k, &c)
	if err := k.err(); err != nil {
		return c, err
	}
	return c, c.RoPE.validate()
}

// TestLongRoPE: the longer set of divisors for models of long contexts, the shorter
// one otherwise.
func TestLongRoPE(t *testing.T) {
	const scaling = `"rope_theta": 10000, "rope_scaling": {"type": "longrope", "short_factor": [1, 1, 1, 2], "long_factor": [1, 2, 4, 8], "original_max_position_embeddings": 4096}`
	c, err := ropeOf(t, `{"max_position_embeddings": 131072, `+scaling+`}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := math.Sqrt(1 + math.Log(32)/math.Log(4096)); math.Abs(float64(c.RoPE.Scaling.Magnitude)-want) > 1e-6 {
		t.Errorf("magnitude %v, want %v", c.RoPE.Scaling.Magnitude, want)
	}
	for i, f := range c.RoPE.frequencies() {
		want := math.Pow(10000, -float64(i)/4) / []float64{1, 2, 4, 8}[i]
		if math.Abs(float64(f)-want) > 1e-6*want {
			t.Errorf("frequency %d: %v, want %v", i, f, want)
		}
	}
	c, err = ropeOf(t, `{"max_position_embeddings": 4096, `+scaling+`}`)
	if err != nil || c.RoPE.Scaling.Magnitude > 1 || c.RoPE.Factors[3] != 2 {
		t.Errorf("short: %v, %+v", err, c.RoPE)
	}
	if _, err = ropeOf(t, `{"rope_scaling": {"type": "longrope", "short_factor": [1, 2], "long_factor": [1, 2]}}`); err == nil {
		t.Error("two factors for four pairs pass")
	}
}

// TestDynamicRoPE: with alpha the base grows by alpha**(d/(d-2)).
func TestDynamicRoPE(t *testing.T) {
	c, err := ropeOf(t, `{"rope_theta": 10000, "rope_scaling": {"type": "dynamic", "alpha": 1000.0, "factor": 1.0}}`)
	if want := 10000 * math.Pow(1000, 8.0/6); err != nil || math.Abs(float64(c.RoPE.Base)/want-1) > 1e-6 {
		t.Errorf("%v, base %v, want %v", err, c.RoPE.Base, want)
	}
	if _, err := ropeOf(t, `{"rope_scaling": {"type": "dynamic", "factor": 2.0}}`); err == nil {
		t.Error("without alpha it passes")
	}
}

// TestLlama3RoPE: with equal frequency factors there is no range between kept and
// stretched.
func TestLlama3RoPE(t *testing.T) {
	c, err := ropeOf(t, `{"rope_theta": 500000, "rope_scaling": {"rope_type": "llama3", "factor": 16.0, "low_freq_factor": 1.0, "high_freq_factor": 1.0, "original_max_position_embeddings": 8192}}`)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range c.RoPE.frequencies() {
		want := math.Pow(500000, -float64(i)/4)
		if 2*math.Pi/want > 8192 {
			want /= 16
		}
		if !(math.Abs(float64(f)-want) <= 1e-6*want) {
			t.Errorf("frequency %d: %v, want %v", i, f, want)
		}
	}
}

// TestTemperature: 1 + scale*ln(1 + floor((t+1)/floor)).
func TestTemperature(t *testing.T) {
	temp := Temperature{Scale: 0.1, Floor: 8192}
	for _, c := range []struct {
		pos  int
		want float64
	}{{0, 1}, {8190, 1}, {8191, 1 + 0.1*math.Log(2)}, {16383, 1 + 0.1*math.Log(3)}, {1 << 20, 1 + 0.1*math.Log(129)}} {
		if got := temp.at(c.pos); math.Abs(float64(got)-c.want) > 1e-6 {
			t.Errorf("position %d: %v, want %v", c.pos, got, c.want)
		}
	}
}
