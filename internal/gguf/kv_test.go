package gguf

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every helper takes every width of its kind and nothing else.
func TestKinds(t *testing.T) {
	f := &File{kv: map[string]any{
		"u8": uint8(7), "i8": int8(7), "u16": uint16(7), "i16": int16(7), "u32": uint32(7), "i32": int32(7), "u64": uint64(7), "i64": int64(7),
		"-i8": int8(-7), "-i64": int64(-7), "max": uint64(math.MaxUint64),
		"f32": float32(7), "f64": float64(7), "bool": true, "string": "7",
		"[]u8": []uint8{7}, "[]i8": []int8{7}, "[]u16": []uint16{7}, "[]i16": []int16{7}, "[]u32": []uint32{7}, "[]i32": []int32{7},
		"[]u64": []uint64{7}, "[]i64": []int64{7}, "-[]i8": []int8{-7}, "[]max": []uint64{1, math.MaxUint64},
		"[]f32": []float32{7}, "[]f64": []float64{7}, "[]bool": []bool{true}, "[]string": []string{"7"},
	}}
	ints := []string{"u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64"}
	lists := []string{"[]u8", "[]i8", "[]u16", "[]i16", "[]u32", "[]i32", "[]u64", "[]i64"}
	helper := func(name string, get func(key string) (any, bool, error), value any, takes []string, outOfRange ...string) {
		fits := map[string]bool{}
		for _, key := range takes {
			fits[key] = true
			v, ok, err := get(key)
			require.NoError(t, err, "%s(%q)", name, key)
			require.True(t, ok)
			require.Equal(t, value, v, "%s(%q)", name, key)
		}
		for _, key := range outOfRange {
			fits[key] = true
		}
		for key := range f.kv {
			if !fits[key] {
				_, ok, err := get(key)
				require.False(t, ok)
				require.ErrorIs(t, err, ErrType, "%s(%q)", name, key)
				require.Contains(t, err.Error(), "key \""+key+"\": expected a")
			}
		}
		_, ok, err := get("absent")
		require.NoError(t, err)
		require.False(t, ok)
	}
	helper("Uint", anyOf(f.Uint), uint64(7), ints, "-i8", "-i64", "max")
	helper("Int", anyOf(f.Int), int64(7), ints, "-i8", "-i64", "max")
	helper("Float", anyOf(f.Float), float64(7), []string{"f32", "f64"})
	helper("Bool", anyOf(f.Bool), true, []string{"bool"})
	helper("String", anyOf(f.String), "7", []string{"string"})
	helper("Strings", anyOf(f.Strings), []string{"7"}, []string{"[]string"})
	helper("Bools", anyOf(f.Bools), []bool{true}, []string{"[]bool"})
	helper("Ints", anyOf(f.Ints), []int64{7}, lists, "-[]i8", "[]max")
	helper("Uints", anyOf(f.Uints), []uint64{7}, lists, "-[]i8", "[]max")
	helper("Floats", anyOf(f.Floats), []float32{7}, []string{"[]f32", "[]f64"})

	i, _, err := f.Int("-i8")
	require.NoError(t, err)
	require.Equal(t, int64(-7), i)
	u, _, err := f.Uint("max")
	require.NoError(t, err)
	require.Equal(t, uint64(math.MaxUint64), u)
	us, _, err := f.Uints("[]max")
	require.NoError(t, err)
	require.Equal(t, []uint64{1, math.MaxUint64}, us)
	is, _, err := f.Ints("-[]i8")
	require.NoError(t, err)
	require.Equal(t, []int64{-7}, is)
	for says, err := range map[string]error{
		`key "-i8": expected an integer of at least 0, found -7`:                                   third(f.Uint("-i8")),
		`key "max": expected at most 9223372036854775807, found 18446744073709551615`:              third(f.Int("max")),
		`key "-[]i8": element 0: expected at least 0, found -7`:                                    third(f.Uints("-[]i8")),
		`key "[]max": element 1: expected at most 9223372036854775807, found 18446744073709551615`: third(f.Ints("[]max")),
	} {
		require.ErrorIs(t, err, ErrValue)
		require.Contains(t, err.Error(), says)
	}
}

func anyOf[T any](get func(string) (T, bool, error)) func(string) (any, bool, error) {
	return func(key string) (any, bool, error) {
		v, ok, err := get(key)
		return v, ok, err
	}
}
