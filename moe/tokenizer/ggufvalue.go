package tokenizer

import "fmt"

// ggml begins the keys of GGUF's tokenizer metadata.
const ggml = "tokenizer.ggml."

// metadata reads typed values of GGUF metadata. The first value of a wrong type is an error that sticks.
type metadata struct {
	kv  map[string]any
	err error
}

func (g *metadata) wrong(key, want string) {
	if g.err == nil {
		g.err = fmt.Errorf("%w: %s%s is a %T, expected %s", ErrFormat, ggml, key, g.kv[ggml+key], want)
	}
}

func (g *metadata) string(key string) string {
	v, ok := g.kv[ggml+key]
	s, isString := v.(string)
	if ok && !isString {
		g.wrong(key, "a string")
	}
	return s
}

// optional reads a string outside the tokenizer's keys.
func (g *metadata) optional(key string) string {
	s, _ := g.kv[key].(string)
	return s
}

func (g *metadata) flag(key string, missing bool) bool {
	v, ok := g.kv[ggml+key]
	if !ok {
		return missing
	}
	b, isBool := v.(bool)
	if !isBool {
		g.wrong(key, "a bool")
	}
	return b
}

// integer reads a whole number; ok is false if there is none. Values beyond int64 become -1, which is no valid id.
func (g *metadata) integer(key string) (n int64, ok bool) {
	switch v := g.kv[ggml+key].(type) {
	case nil:
		return 0, false
	case uint8:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint64:
		return max(int64(v), -1), true
	case int64:
		return v, true
	case int:
		return int64(v), true
	}
	g.wrong(key, "an integer")
	return 0, false
}

func (g *metadata) strings(key string) []string {
	v, ok := g.kv[ggml+key]
	s, isStrings := v.([]string)
	if ok && !isStrings {
		g.wrong(key, "strings")
	}
	return s
}

func (g *metadata) integers(key string) []int64 {
	switch v := g.kv[ggml+key].(type) {
	case nil:
		return nil
	case []int8:
		return widen[int64](v)
	case []uint8:
		return widen[int64](v)
	case []int16:
		return widen[int64](v)
	case []uint16:
		return widen[int64](v)
	case []int32:
		return widen[int64](v)
	case []uint32:
		return widen[int64](v)
	case []int64:
		return v
	}
	g.wrong(key, "integers")
	return nil
}

func (g *metadata) floats(key string) []float32 {
	switch v := g.kv[ggml+key].(type) {
	case nil:
		return nil
	case []float32:
		return v
	case []float64:
		return widen[float32](v)
	case []int32:
		return widen[float32](v)
	}
	g.wrong(key, "numbers")
	return nil
}

func widen[To, From int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | float32 | float64](from []From) []To {
	to := make([]To, len(from))
	for i, v := range from {
		to[i] = To(v)
	}
	return to
}
