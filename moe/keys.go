package moe

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// keys reads a checkpoint's configuration, hub or GGUF, and collects what is
// wrong with it.
type keys struct {
	get    func(key string) (any, bool)
	tensor func(name string) bool // whether the checkpoint holds a tensor
	errs   *[]error
}

func (k keys) fail(key, want string, found any) {
	if len(*k.errs) > 100 { // enough for a person; a hostile list could have millions
		return
	}
	if s := fmt.Sprint(found); len(s) > 200 {
		found = s[:200] + "..."
	}
	*k.errs = append(*k.errs, fmt.Errorf("%w: %s: want %s, found %v", ErrConfig, key, want, found))
}

func (k keys) err() error { return errors.Join(*k.errs...) }

// has reports whether one of the keys is there and not null.
func (k keys) has(key string) bool {
	v, ok := k.get(key)
	return ok && v != nil
}

// number returns a key's value as float64, or def if it is absent.
func (k keys) number(key string, def float64) float64 {
	v, ok := k.get(key)
	if !ok || v == nil {
		return def
	}
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return f
		}
	case float64:
		return v
	case float32:
		return float64(v)
	case uint8:
		return float64(v)
	case int8:
		return float64(v)
	case uint16:
		return float64(v)
	case int16:
		return float64(v)
	case uint32:
		return float64(v)
	case int32:
		return float64(v)
	case uint64:
		return float64(v)
	case int64:
		return float64(v)
	}
	k.fail(key, "a number", v)
	return def
}

func (k keys) float(key string, def float32) float32 { return float32(k.number(key, float64(def))) }

// int returns a key's value as a whole number of at most 2**31 in magnitude.
func (k keys) int(key string, def int) int {
	f := k.number(key, float64(def))
	if f != math.Trunc(f) || math.Abs(f) > 1<<31 {
		k.fail(key, "a whole number up to 2**31", f)
		return def
	}
	return int(f)
}

// need is int for a key that must be there.
func (k keys) need(key string) int {
	if !k.has(key) {
		k.fail(key, "a whole number", "nothing")
		return 0
	}
	return k.int(key, 0)
}

// first returns the first of several keys that is there.
func (k keys) first(names ...string) string {
	for _, n := range names {
		if k.has(n) {
			return n
		}
	}
	return names[0]
}

func (k keys) bool(key string, def bool) bool {
	v, ok := k.get(key)
	if !ok || v == nil {
		return def
	}
	b, ok := v.(bool)
	if !ok {
		k.fail(key, "true or false", v)
	}
	return b
}

// flag is bool for a key that some configs give as a number.
func (k keys) flag(key string, def bool) bool {
	v, _ := k.get(key)
	if _, ok := v.(json.Number); ok {
		return k.number(key, 0) != 0
	}
	return k.bool(key, def)
}

func (k keys) string(key, def string) string {
	v, ok := k.get(key)
	if !ok || v == nil {
		return def
	}
	s, ok := v.(string)
	if !ok {
		k.fail(key, "a text", v)
	}
	return s
}

// ints returns a list of whole numbers, or a single one as a list.
func (k keys) ints(key string) []int {
	v, ok := k.get(key)
	if !ok || v == nil {
		return nil
	}
	var out []int
	one := func(x any) {
		k.get = func(string) (any, bool) { return x, true }
		out = append(out, k.int(key, 0))
	}
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			one(x)
		}
	case []int32:
		for _, x := range v {
			one(x)
		}
	case []uint32:
		for _, x := range v {
			one(x)
		}
	case []bool:
		for _, x := range v {
			out = append(out, map[bool]int{true: 1}[x])
		}
	default:
		one(v)
	}
	return out
}

// same returns a whole number that may be given once or once a layer; the layers
// must agree.
func (k keys) same(key string, def int) int {
	list := k.ints(key)
	if len(list) == 0 {
		return def
	}
	for _, v := range list {
		if v != list[0] {
			k.fail(key, "the same for all layers", list)
			break
		}
	}
	return list[0]
}

// floats returns a list of numbers.
func (k keys) floats(key string) []float32 {
	v, ok := k.get(key)
	if !ok || v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		k.fail(key, "a list of numbers", v)
	}
	out := make([]float32, len(list))
	for i, x := range list {
		k.get = func(string) (any, bool) { return x, true }
		out[i] = k.float(key, 0)
	}
	return out
}

// strings returns a list of texts.
func (k keys) strings(key string) []string {
	v, ok := k.get(key)
	if !ok || v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		k.fail(key, "a list of texts", v)
	}
	var out []string
	for _, x := range list {
		s, ok := x.(string)
		if !ok {
			k.fail(key, "a list of texts", x)
		}
		out = append(out, s)
	}
	return out
}

// sub returns the keys of an object; they are all absent if it is.
func (k keys) sub(key string) keys {
	v, _ := k.get(key)
	m, ok := v.(map[string]any)
	if v != nil && !ok {
		k.fail(key, "an object", v)
	}
	k.get = func(name string) (any, bool) { x, ok := m[name]; return x, ok }
	return k
}
