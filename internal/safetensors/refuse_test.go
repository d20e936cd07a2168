package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the format forbids, and the flaws that GGUF parsers had, in this format.
func TestRefused(t *testing.T) {
	length := func(n uint64, rest string) []byte { return append(binary.LittleEndian.AppendUint64(nil, n), rest...) }
	ok := entry("x", "U8", "4", 0, 4)
	for _, c := range []struct {
		name string
		data []byte
		is   error
		says string
	}{
		{"empty file", nil, ErrTruncated, "0 bytes, expected the header's length in 8"},
		{"seven bytes", make([]byte, 7), ErrTruncated, "7 bytes"},
		{"header of 0", length(0, "{}"), ErrHeader, "header of 0 bytes does not start with '{'"},
		{"header of -1", length(1<<64-1, "{}"), ErrTooLarge, "header of 18446744073709551615 bytes"},
		{"header of 2^63", length(1<<63, "{}"), ErrTooLarge, "9223372036854775808"},
		{"header above 100 MB", length(100_000_001, "{}"), ErrTooLarge, "at most 100000000"},
		{"header longer than the file by one", length(3, "{}"), ErrTruncated, "header of 3 bytes, 2 are left"},
		{"space before the header", file(" {}", 0), ErrHeader, "does not start with '{'"},
		{"an array for a header", file("[]", 0), ErrHeader, "does not start with '{'"},
		{"header ends early", file(`{"x":{"dtype":"U8"`, 0), ErrHeader, `tensor "x": safetensors: bad header: JSON ends`},
		{"bytes behind the object", file("{}x", 0), ErrHeader, "expected the end, found 'x'"},
		{"zeros behind the object", file("{}\x00", 0), ErrHeader, "expected the end"},
		{"two objects", file("{}{}", 0), ErrHeader, "expected the end, found '{'"},
		{"comma at the end", file("{"+ok+",}", 4), ErrHeader, `expected "`},
		{"no comma", file("{"+ok+ok+"}", 4), ErrHeader, "expected ',' or '}'"},
		{"name not quoted", file("{x:1}", 0), ErrHeader, `expected "`},
		{"entry is a number", file(`{"x":1}`, 0), ErrHeader, `tensor "x"`},
		{"entry is null", file(`{"x":null}`, 0), ErrHeader, `tensor "x"`},
		{"unknown field", file(`{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"extra":1}}`, 4), ErrHeader, `key "extra"`},
		{"field twice", file(`{"x":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, 4), ErrDuplicate, `key "dtype" occurs twice`},
		{"shape twice", file(`{"x":{"dtype":"U8","shape":[4],"shape":[4],"data_offsets":[0,4]}}`, 4), ErrDuplicate, `key "shape"`},
		{"offsets twice", file(`{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"data_offsets":[0,4]}}`, 4), ErrDuplicate, `key "data_offsets"`},
		{"no dtype", file(`{"x":{"shape":[4],"data_offsets":[0,4]}}`, 4), ErrHeader, "missing"},
		{"no shape", file(`{"x":{"dtype":"U8","data_offsets":[0,4]}}`, 4), ErrHeader, "missing"},
		{"no offsets", file(`{"x":{"dtype":"U8","shape":[4]}}`, 4), ErrHeader, "missing"},
		{"tensor twice", file(object(ok, entry("x", "U8", "4", 4, 8)), 8), ErrDuplicate, `tensor "x" occurs twice`},
		{"tensor twice, in disguise", file(object(ok, entry(`\u0078`, "U8", "4", 4, 8)), 8), ErrDuplicate, `tensor "x" occurs twice`},
		{"empty tensor twice", file(object(entry("x", "U8", "0", 0, 0), entry("x", "U8", "0", 0, 0)), 0), ErrDuplicate, `tensor "x" occurs twice`},
		{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`, 0), ErrDuplicate, `"__metadata__" occurs twice`},
		{"metadata key twice", file(`{"__metadata__":{"a":"","a":""}}`, 0), ErrDuplicate, `key "a" of "__metadata__"`},
		{"metadata of a number", file(`{"__metadata__":{"a":1}}`, 0), ErrHeader, `expected "`},
		{"metadata nested", file(`{"__metadata__":{"a":{}}}`, 0), ErrHeader, `expected "`},
		{"unknown dtype", file(object(entry("x", "F33", "1", 0, 4)), 4), ErrType, `tensor "x": safetensors: unknown dtype: "F33"`},
		{"dtype in lower case", file(object(entry("x", "f32", "1", 0, 4)), 4), ErrType, `"f32"`},
		{"dtype of 10 kB", file(object(entry("x", strings.Repeat("F", 10_000), "1", 0, 4)), 4), ErrType, `...`},
		{"dtype a number", file(`{"x":{"dtype":1,"shape":[4],"data_offsets":[0,4]}}`, 4), ErrHeader, `expected "`},
		{"dimension negative", file(object(entry("x", "U8", "-4", 0, 4)), 4), ErrHeader, "expected a whole number, found '-'"},
		{"dimension with a point", file(object(entry("x", "U8", "4.0", 0, 4)), 4), ErrHeader, "found '.'"},
		{"dimension with an exponent", file(object(entry("x", "U8", "4e0", 0, 4)), 4), ErrHeader, "found 'e'"},
		{"dimension with leading zeros", file(object(entry("x", "U8", "04", 0, 4)), 4), ErrHeader, "leading zeros"},
		{"dimension a string", file(object(entry("x", "U8", `"4"`, 0, 4)), 4), ErrHeader, "whole number"},
		{"dimension of 2^63", file(object(entry("x", "U8", "9223372036854775808", 0, 4)), 4), ErrHeader, "above 63 bits"},
		{"dimension of 10^30", file(object(entry("x", "U8", "1"+strings.Repeat("0", 30), 0, 4)), 4), ErrHeader, "above 63 bits"},
		{"65 dimensions", file(object(entry("x", "U8", strings.Repeat("1,", 64)+"4", 0, 4)), 4), ErrShape, "more than 64 dimensions"},
		{"a product that wraps to 4", file(object(entry("x", "U8", "4611686018427387905,4", 0, 4)), 4), ErrShape, "overflows"},
		{"a product that wraps to 0", file(object(entry("x", "U8", "4294967296,4294967296", 0, 0)), 0), ErrShape, "overflows"},
		{"a product that wraps before a 0", file(object(entry("x", "U8", "4294967296,4294967296,0", 0, 0)), 0), ErrShape, "overflows"},
		{"bytes that wrap", file(object(entry("x", "F64", "2305843009213693952", 0, 0)), 0), ErrShape, "overflows"},
		{"half a byte", file(object(entry("x", "F4", "3", 0, 1)), 1), ErrShape, "ends within a byte"},
		{"size and shape differ", file(object(entry("x", "F32", "2", 0, 4)), 4), ErrShape, "shape [2] of F32 takes 8 bytes, data_offsets [0, 4] give 4"},
		{"offsets backwards", file(object(entry("x", "U8", "4", 4, 0)), 4), ErrOffset, "[4, 0] run backwards"},
		{"one offset", file(`{"x":{"dtype":"U8","shape":[4],"data_offsets":[4]}}`, 4), ErrOffset, "1 data_offsets, expected 2"},
		{"three offsets", file(`{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,0,4]}}`, 4), ErrOffset, "3 data_offsets"},
		{"past the end by one (CVE-2026-7482)", file(object(entry("x", "U8", "5", 0, 5)), 4), ErrTruncated, "data_offsets [0, 5], the file holds 4"},
		{"offset of 2^63-1", file(object(entry("x", "U8", "1", 9223372036854775806, 9223372036854775807)), 4), ErrTruncated, "the file holds 4"},
		{"overlap", file(object(ok, entry("y", "U8", "4", 3, 7)), 7), ErrOverlap, `tensor "y"`},
		{"same place", file(object(ok, entry("y", "U8", "4", 0, 4)), 4), ErrOverlap, "before the end of tensor"},
		{"an empty tensor inside another", file(object(ok, entry("y", "U8", "0", 2, 2)), 4), ErrOverlap, `tensor "y"`},
		{"hole at the start", file(object(entry("x", "U8", "4", 1, 5)), 5), ErrGap, `1 between the header and tensor "x"`},
		{"hole between", file(object(ok, entry("y", "U8", "4", 6, 10)), 10), ErrGap, `2 between tensor "x" and tensor "y"`},
		{"bytes behind the last", file(object(ok), 5), ErrGap, `1 between tensor "x" and the end of the file`},
		{"data of no tensor", file("{}", 1), ErrGap, "1 between the header and the end"},
		{"name not UTF-8", file(object(entry("\xff", "U8", "4", 0, 4)), 4), ErrHeader, "not UTF-8"},
		{"name with half a surrogate", file(object(entry(`\ud800`, "U8", "4", 0, 4)), 4), ErrHeader, "bad escape"},
		{"name with halves swapped", file(object(entry(`\udc00\ud800`, "U8", "4", 0, 4)), 4), ErrHeader, "bad escape"},
		{"name with a bad escape", file(object(entry(`\x`, "U8", "4", 0, 4)), 4), ErrHeader, "bad escape"},
		{"name with a short escape", file(object(entry(`\u12`, "U8", "4", 0, 4)), 4), ErrHeader, "bad escape"},
		{"name with a line feed", file(object(entry("\n", "U8", "4", 0, 4)), 4), ErrHeader, "without control bytes"},
		{"name without an end", file(`{"x`, 0), ErrHeader, "a closing quote"},
		{"name ends in a backslash", file(`{"x\`, 0), ErrHeader, "a closing quote"},
		{"arrays a million deep", file(`{"x":`+strings.Repeat("[", 1<<20), 0), ErrHeader, `tensor "x"`},
		{"shapes nested", file(`{"x":{"dtype":"U8","shape":[[4]],"data_offsets":[0,4]}}`, 4), ErrHeader, "whole number, found '['"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := FromBytes(c.data)
			require.Nil(t, f)
			require.ErrorIs(t, err, c.is)
			require.Contains(t, err.Error(), c.says)
			require.Less(t, len(err.Error()), 1000)
		})
	}
}

func TestNearMisses(t *testing.T) {
	for name, data := range map[string][]byte{
		"no tensors":        file("{}", 0),
		"only metadata":     file(`{"__metadata__":{}}`, 0),
		"padded":            file("{}      ", 0),
		"white space":       file("{ \"x\"\t:\r\n{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4),
		"out of order":      file(object(entry("y", "U8", "4", 4, 8), entry("x", "U8", "4", 0, 4)), 8),
		"empty name":        file(object(entry("", "U8", "4", 0, 4)), 4),
		"64 dimensions":     file(object(entry("x", "U8", strings.Repeat("1,", 63)+"4", 0, 4)), 4),
		"empty at each end": file(object(entry("a", "F32", "0", 0, 0), entry("x", "U8", "4", 0, 4), entry("z", "F64", "5,0", 4, 4)), 4),
		"largest dimension": file(object(entry("x", "U8", "0,9223372036854775807", 0, 0)), 0),
	} {
		t.Run(name, func(t *testing.T) {
			f, err := FromBytes(data)
			require.NoError(t, err)
			sound(t, f, err)
		})
	}
}

// Every dtype at its width, from the format's table.
func TestDtypes(t *testing.T) {
	widths := map[Dtype]int64{Bool: 8, F4: 4, F6E2M3: 6, F6E3M2: 6, U8: 8, I8: 8, F8E5M2: 8, F8E4M3: 8, F8E8M0: 8,
		F8E4M3FNUZ: 8, F8E5M2FNUZ: 8, I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, C64: 64, I64: 64, U64: 64, F64: 64}
	require.Len(t, dtypes, len(widths))
	for d, bits := range widths {
		f, err := FromBytes(file(object(entry("x", string(d), "8", 0, bits)), int(bits)))
		require.NoError(t, err, d)
		x, _ := f.Tensor("x")
		require.Equal(t, d, x.Dtype)
		require.Equal(t, bits, x.Size)
	}
}

// The scanner against encoding/json: what it accepts as a string or skips as a
// value is JSON, and means the same.
func TestScannerAgainstJSON(t *testing.T) {
	words := []string{`"`, `\`, `u`, `00`, `e9`, `\u00e9`, `\ud83d\ude00`, `\n`, `x`, "é", "😀", `\"`, `\\`, `\/`, "\x01", "\xff", " ",
		"{", "}", "[", "]", ",", ":", "1", "0", "-", ".", "e", "+", "true", "null", "false"}
	seed := uint32(1)
	next := func(n int) int { seed = seed*1664525 + 1013904223; return int(seed>>8) % n }
	accepted := 0
	for range 200_000 {
		var b strings.Builder
		for range 1 + next(8) {
			b.WriteString(words[next(len(words))])
		}
		doc := b.String()
		s := &scanner{data: []byte(doc)}
		err := s.skip(maxDepth)
		if err == nil {
			err = s.end()
		}
		var v any
		want := json.Unmarshal([]byte(doc), &v)
		if err == nil {
			accepted++
			require.NoError(t, want, "%q", doc)
		} else if want == nil && !strings.Contains(doc, "\xff") && !strings.Contains(doc, `\u`) {
			require.NoError(t, err, "%q is JSON", doc)
		}
		quoted := `"` + doc + `"`
		s = &scanner{data: []byte(quoted)}
		text, err := s.text()
		if err == nil && s.end() == nil {
			var str string
			require.NoError(t, json.Unmarshal([]byte(quoted), &str), "%q", quoted)
			require.Equal(t, str, string(text))
		}
	}
	require.Greater(t, accepted, 1000)
}

func TestSkipDepth(t *testing.T) {
	nested := func(n int) *scanner {
		return &scanner{data: []byte(strings.Repeat(`{"a":[`, n/2) + strings.Repeat("]}", n/2))}
	}
	require.NoError(t, nested(maxDepth).skip(maxDepth+1))
	err := nested(maxDepth + 2).skip(maxDepth)
	require.ErrorIs(t, err, ErrTooLarge)
	require.Contains(t, err.Error(), fmt.Sprintf("deeper than %d", maxDepth))
	require.ErrorIs(t, (&scanner{data: []byte(strings.Repeat("[", 10<<20))}).skip(maxDepth), ErrTooLarge)
}
