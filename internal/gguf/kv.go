package gguf

import "math"

// KV returns the metadata: uint8 to int64, float32, float64, bool, string, and
// slices of these. Of a split file it is the first file's. The caller must not
// change it.
func (f *File) KV() map[string]any { return f.kv }

// The methods below look a key up. They report false if it is absent, and
// ErrType, naming the key, what was expected and what was found, if its value
// is of another kind. Integers of every width are one kind, and so are floats.

// Uint returns an integer that is not negative.
func (f *File) Uint(key string) (uint64, bool, error) {
	v, ok := f.kv[key]
	if !ok {
		return 0, false, nil
	}
	u, neg, isInt := integer(v)
	if !isInt {
		return 0, false, mismatch(key, "an integer", v)
	}
	if neg {
		return 0, false, fail(ErrValue, "key %s: expected an integer of at least 0, found %v", brief(key), v)
	}
	return u, true, nil
}

// Int returns an integer that fits int64.
func (f *File) Int(key string) (int64, bool, error) {
	v, ok := f.kv[key]
	if !ok {
		return 0, false, nil
	}
	u, neg, isInt := integer(v)
	if !isInt {
		return 0, false, mismatch(key, "an integer", v)
	}
	if !neg && u > math.MaxInt64 {
		return 0, false, fail(ErrValue, "key %s: expected at most %d, found %v", brief(key), int64(math.MaxInt64), v)
	}
	return int64(u), true, nil
}

// Float returns a float32 or float64.
func (f *File) Float(key string) (float64, bool, error) {
	switch v := f.kv[key].(type) {
	case nil:
		return 0, false, nil
	case float32:
		return float64(v), true, nil
	case float64:
		return v, true, nil
	default:
		return 0, false, mismatch(key, "a float", v)
	}
}

// Bool returns a bool.
func (f *File) Bool(key string) (bool, bool, error) { return as[bool](f, key, "a bool") }

// String returns a string, as the bytes of the file: it need not be UTF-8.
func (f *File) String(key string) (string, bool, error) { return as[string](f, key, "a string") }

// Strings returns an array of strings. The caller must not change it.
func (f *File) Strings(key string) ([]string, bool, error) {
	return as[[]string](f, key, "an array of strings")
}

// Bools returns an array of bools. The caller must not change it.
func (f *File) Bools(key string) ([]bool, bool, error) {
	return as[[]bool](f, key, "an array of bools")
}

// Ints returns an array of integers as a copy.
func (f *File) Ints(key string) ([]int64, bool, error) {
	v, ok := f.kv[key]
	if !ok {
		return nil, false, nil
	}
	switch s := v.(type) {
	case []uint8:
		return widen[int64](s), true, nil
	case []int8:
		return widen[int64](s), true, nil
	case []uint16:
		return widen[int64](s), true, nil
	case []int16:
		return widen[int64](s), true, nil
	case []uint32:
		return widen[int64](s), true, nil
	case []int32:
		return widen[int64](s), true, nil
	case []int64:
		return widen[int64](s), true, nil
	case []uint64:
		for i, u := range s {
			if u > math.MaxInt64 {
				return nil, false, fail(ErrValue, "key %s: element %d: expected at most %d, found %d", brief(key), i, int64(math.MaxInt64), u)
			}
		}
		return widen[int64](s), true, nil
	}
	return nil, false, mismatch(key, "an array of integers", v)
}

// Uints returns an array of integers that are not negative, as a copy.
func (f *File) Uints(key string) ([]uint64, bool, error) {
	if s, ok := f.kv[key].([]uint64); ok {
		return widen[uint64](s), true, nil
	}
	s, ok, err := f.Ints(key)
	if err != nil || !ok {
		return nil, false, err
	}
	for i, v := range s {
		if v < 0 {
			return nil, false, fail(ErrValue, "key %s: element %d: expected at least 0, found %d", brief(key), i, v)
		}
	}
	return widen[uint64](s), true, nil
}

// Floats returns an array of float32 or float64 as a copy of float32.
func (f *File) Floats(key string) ([]float32, bool, error) {
	switch s := f.kv[key].(type) {
	case nil:
		return nil, false, nil
	case []float32:
		return widen[float32](s), true, nil
	case []float64:
		return widen[float32](s), true, nil
	default:
		return nil, false, mismatch(key, "an array of floats", s)
	}
}

func as[T any](f *File, key, want string) (T, bool, error) {
	var none T
	v, ok := f.kv[key]
	if !ok {
		return none, false, nil
	}
	t, ok := v.(T)
	if !ok {
		return none, false, mismatch(key, want, v)
	}
	return t, true, nil
}

func mismatch(key, want string, found any) error {
	return fail(ErrType, "key %s: expected %s, found %T", brief(key), want, found)
}

// integer returns any integer's 64 bits in two's complement.
func integer(v any) (bits uint64, neg, ok bool) {
	var i int64
	switch v := v.(type) {
	case uint8:
		return uint64(v), false, true
	case uint16:
		return uint64(v), false, true
	case uint32:
		return uint64(v), false, true
	case uint64:
		return v, false, true
	case int8:
		i = int64(v)
	case int16:
		i = int64(v)
	case int32:
		i = int64(v)
	case int64:
		i = v
	default:
		return 0, false, false
	}
	return uint64(i), i < 0, true
}

type number interface {
	~uint8 | ~int8 | ~uint16 | ~int16 | ~uint32 | ~int32 | ~uint64 | ~int64 | ~float32 | ~float64
}

func widen[D, S number](s []S) []D {
	d := make([]D, len(s))
	for i, v := range s {
		d[i] = D(v)
	}
	return d
}
