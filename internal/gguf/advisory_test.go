package gguf

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// A case for every advisory against a GGUF parser, and for the flaws without
// one. Where several bugs have one cause, each keeps its own case.
func TestAdvisories(t *testing.T) {
	const f32, f16, q8, i8 = 0, 1, 8, 24
	one := func(nTensors, nKV uint64, rest ...[]byte) []byte { return cat(head(3, nTensors, nKV), cat(rest...)) }
	tensor := func(data int, infos ...[]byte) []byte {
		return withData(one(uint64(len(infos)), 0, infos...), data)
	}
	key := func(typ uint32, value ...[]byte) []byte { return one(0, 1, pair("k", typ, cat(value...))) }
	aligned := func(typ uint32, value []byte) []byte {
		return withData(one(1, 1, pair("general.alignment", typ, value), info("x", f32, 0, 1)), 64)
	}
	const max = 1<<63 - 1

	type bad struct {
		name string
		data []byte
		is   error
		says string
	}
	cases := []bad{
		{"CVE-2024-21802: 5 dimensions written to 4", tensor(64, info("x", f32, 0, 1, 1, 1, 1, 1)), ErrShape, `"x": gguf: bad shape: 5 dimensions, expected 1 to 4`},
		{"CVE-2024-21802: 2^32-1 dimensions", withData(one(1, 0, text("x"), u32(1<<32-1), make([]byte, 64)), 64), ErrShape, "4294967295 dimensions"},
		{"CVE-2024-21825: array length times size wraps", key(9, list(10, 1<<61, nil)), ErrTooLarge, `"k": gguf: too large: array: 2305843009213693952`},
		{"CVE-2024-21825: array longer than the file", key(9, list(10, 2, make([]byte, 15))), ErrTruncated, "2 of at least 8 bytes"},
		{"CVE-2024-21825: string array longer than the file", key(9, list(8, 1<<30, make([]byte, 64))), ErrTruncated, "1073741824 of at least 8 bytes"},
		{"CVE-2024-21836: tensors times size wraps", one(1<<60, 0), ErrTooLarge, "number of tensors: 1152921504606846976"},
		{"CVE-2024-21836: 2^63-1 tensors", one(max, 0), ErrTooLarge, "number of tensors: 9223372036854775807"},
		{"CVE-2024-21836: -1 tensors", one(1<<64-1, 0), ErrTooLarge, "number of tensors: 18446744073709551615"},
		{"CVE-2024-21836: more tensors than bytes left", one(100, 0, make([]byte, 1200)), ErrTruncated, "number of tensors: 100 of at least 33 bytes"},
		{"CVE-2024-21836: more tensors than the keys leave", one(2, 1, pair("k", 8, text(string(make([]byte, 100)))), info("x", f32, 0, 1)), ErrTruncated, "number of tensors: 2"},
		{"CVE-2024-23496: string length plus 1 wraps", key(8, u64(1<<64-1)), ErrTooLarge, "18446744073709551615 bytes"},
		{"CVE-2024-23496: key length plus 1 wraps", one(0, 1, u64(1<<64-1), make([]byte, 20)), ErrTooLarge, "key 0 of 1"},
		{"CVE-2024-23496: name length plus 1 wraps", tensor(64, cat(u64(1<<64-1), make([]byte, 40))), ErrTooLarge, "tensor 0"},
		{"CVE-2024-23605: keys times size wraps", one(0, 1<<60), ErrTooLarge, "number of keys: 1152921504606846976"},
		{"CVE-2024-23605: 2^63-1 keys", one(0, max), ErrTooLarge, "number of keys"},
		{"CVE-2024-23605: -1 keys", one(0, 1<<64-1), ErrTooLarge, "number of keys: 18446744073709551615"},
		{"CVE-2024-23605: more keys than bytes left", one(0, 100, make([]byte, 1200)), ErrTruncated, "number of keys: 100 of at least 14 bytes"},
		{"CVE-2024-32878: an error in the second of three keys", one(0, 3, pair("a", 8, text("v")), pair("b", 8, u64(99)), make([]byte, 40)), ErrTruncated, `key "b"`},
		{"CVE-2024-32878: an error in the second element", key(9, list(8, 3, cat(text("v"), u64(99), make([]byte, 20)))), ErrTruncated, `key "k": element 1`},
		{"CVE-2024-41130: a header and nothing else", one(1, 1), ErrTruncated, "number of keys: 1"},
		{"CVE-2024-41130: no data", one(1, 0, info("x", f32, 0, 1)), ErrTruncated, "data starts at byte 64"},
		{"CVE-2025-49847: token longer than an int32", key(9, list(8, 1, u64(1<<31))), ErrTooLarge, "2147483648 bytes"},
		{"CVE-2025-49847: token of the largest length that passes, not there", key(9, list(8, 1, u64(1<<30))), ErrTruncated, "1073741824 bytes"},
		{"CVE-2025-52566: token of length -1", key(9, list(8, 1, u64(1<<64-1))), ErrTooLarge, "element 0"},
		{"CVE-2025-53630: sizes add up to 2^64", tensor(64, info("x", i8, 0, 1<<62), info("y", i8, 1<<62, 1<<62), info("z", i8, 0, 1<<62), info("w", i8, 0, 1<<62)), ErrTruncated, `tensor "x": 4611686018427387904 bytes`},
		{"CVE-2026-27940: size plus overhead wraps", tensor(64, info("x", i8, 0, max-31)), ErrTruncated, `tensor "x": 9223372036854775776 bytes`},
		{"CVE-2026-33298: bytes wrap to a small number", tensor(64, info("x", f32, 0, 1<<60, 4, 1, 1)), ErrShape, "overflows 63 bits of bytes"},
		{"CVE-2026-33298: bytes wrap through a block type", tensor(64, info("x", q8, 0, 1<<63-32)), ErrShape, "overflows 63 bits of bytes"},
		{"Ollama CVE-2024-39720: four bytes", []byte("GGUF"), ErrTruncated, "version needs 4 bytes"},
		{"Ollama CVE-2024-12055: string beyond the file", key(8, u64(1<<30)), ErrTruncated, "string needs 1073741824 bytes at byte 45, 0 are left"},
		{"Ollama CVE-2024-8063, CVE-2025-0317: alignment 0", aligned(4, u32(0)), ErrAlignment, "power of two, found 0"},
		{"Ollama CVE-2025-0312: a dimension of 0", tensor(64, info("x", f32, 0, 4, 0)), ErrShape, "[4 0] has an empty dimension"},
		{"Ollama CVE-2025-0313: array type out of range", key(9, list(13, 1, make([]byte, 8))), ErrType, "type of value 13"},
		{"Ollama CVE-2025-0315: array of 2^30 with nothing there", key(9, list(0, 1<<30, nil)), ErrTruncated, "1073741824 of at least 1 bytes"},
		{"Ollama CVE-2025-1975: no dimensions", tensor(64, info("x", f32, 0)), ErrShape, "0 dimensions"},
		{"Ollama CVE-2025-66960: length negative as an int", key(8, u64(1<<63)), ErrTooLarge, "9223372036854775808 bytes"},
		{"Ollama CVE-2026-7482: past the end by one", tensor(63, info("x", f32, 0, 16)), ErrTruncated, `tensor "x": 64 bytes at 0 of the data, the file holds 63`},
		{"Ollama CVE-2026-7482: offset past the end", tensor(64, info("x", f32, 96, 1)), ErrTruncated, `tensor "x": 4 bytes at 96`},
		{"Ollama CVE-2026-7482: offset plus size wraps", tensor(64, info("x", f32, 1<<64-32, 8)), ErrTruncated, "18446744073709551584"},
		{"Ollama CVE-2026-7482: offset negative", tensor(64, info("x", f32, 1<<63, 8)), ErrTruncated, "9223372036854775808"},
		{"division by a zero dimension", tensor(64, info("x", f32, 0, 4, 0, 4, 4)), ErrShape, "empty dimension"},
		{"ne of (2^63-1, 2, 1, 1)", tensor(64, info("x", i8, 0, max, 2, 1, 1)), ErrShape, "overflows 63 bits of elements"},
		{"padding wraps: offset near 2^64", tensor(64, info("x", f32, 1<<64-1, 1)), ErrAlignment, "multiple of 32"},
		{"padding to 2^31", aligned(4, u32(1<<31)), ErrTruncated, "byte 2147483648 (alignment 2147483648)"},
		{"alignment 3", aligned(4, u32(3)), ErrAlignment, "found 3"},
		{"alignment a string", aligned(8, text("32")), ErrAlignment, "expected uint32, found string"},
		{"alignment an int64", aligned(11, u64(32)), ErrAlignment, "found int64"},
		{"nested arrays", key(9, list(9, 1, list(0, 1, []byte{1}))), ErrType, "array of arrays"},
		{"arrays nested a thousand deep", key(9, list(9, 1, nil), make([]byte, 12000)), ErrType, "array of arrays"},
		{"duplicate key", one(0, 2, pair("k", 0, []byte{1}), pair("k", 0, []byte{1})), ErrDuplicate, `key "k" occurs twice`},
		{"empty key", one(0, 1, pair("", 0, []byte{1, 0})), ErrName, "key 0 is empty"},
		{"key of 65537 bytes", one(0, 1, u64(1<<16+1), make([]byte, 70000)), ErrTooLarge, "65537 bytes"},
		{"duplicate tensor", tensor(64, info("x", f32, 0, 1), info("x", f32, 32, 1)), ErrDuplicate, `tensor "x" occurs twice`},
		{"empty tensor name", tensor(64, info("", f32, 0, 1), make([]byte, 32)), ErrName, "tensor 0"},
		{"tensor name with a zero byte", tensor(64, info("a\x00b", f32, 0, 1)), ErrName, `"a\x00b"`},
		{"tensor name of 65 bytes", tensor(64, info(fmt.Sprintf("%065d", 0), f32, 0, 1)), ErrTooLarge, "65 bytes, at most 64"},
		{"string of 2^31", key(8, u64(1<<31)), ErrTooLarge, "2147483648 bytes"},
		{"string of what is left plus 1", key(8, u64(9), make([]byte, 8)), ErrTruncated, "needs 9 bytes at byte 45, 8 are left"},
		{"value type 13", key(13, make([]byte, 8)), ErrType, `key "k": gguf: wrong type: type of value 13, expected 0 to 12`},
		{"value type -1", key(1<<32-1, make([]byte, 8)), ErrType, "4294967295"},
		{"bool of 2", key(7, []byte{2}), ErrValue, "is 2, expected 0 or 1"},
		{"bool of 255 in an array", key(9, list(7, 3, []byte{0, 1, 255})), ErrValue, "bool 2 is 255"},
		{"row not a multiple of the block", tensor(64, info("x", q8, 0, 33)), ErrShape, "rows of 33, expected a multiple of 32"},
		{"row not a multiple of the block, all of it is", tensor(64, info("x", q8, 0, 16, 2)), ErrShape, "rows of 16"},
		{"offset unaligned", tensor(64, info("x", f32, 4, 1)), ErrAlignment, `tensor "x": gguf: bad alignment: offset 4, expected a multiple of 32`},
		{"overlap by one byte", tensor(128, info("x", i8, 0, 33), info("y", i8, 32, 1)), ErrOverlap, `tensor "y" starts at byte`},
		{"overlap, out of order", tensor(128, info("y", i8, 32, 1), info("x", i8, 0, 33)), ErrOverlap, `inside tensor "x"`},
		{"same place twice", tensor(128, info("x", f16, 32, 1), info("y", f16, 32, 1)), ErrOverlap, "inside tensor"},
		{"empty file", nil, ErrTruncated, "magic needs 4 bytes"},
		{"another magic", []byte("GGML\x03\x00\x00\x00 and more than that"), ErrMagic, `starts with "GGML"`},
		{"version 0", head(0, 0, 0), ErrVersion, "version 0, expected 2 or 3"},
		{"version 1", head(1, 0, 0), ErrVersion, "version 1, expected 2 or 3"},
		{"version 4", head(4, 0, 0), ErrVersion, "version 4"},
		{"big-endian", head(3<<24, 0, 0), ErrVersion, "version 3 in big-endian order"},
		{"split, from memory", one(0, 1, pair("split.count", 2, []byte{2, 0})), ErrSplit, "first of 2 files"},
		{"split count of the wrong type", one(0, 1, pair("split.count", 8, text("2"))), ErrType, `key "split.count": expected an integer, found string`},
		{"split count negative", one(0, 1, pair("split.count", 5, u32(1<<32-1))), ErrValue, "found -1"},
		{"split count of 65536", one(0, 1, pair("split.count", 4, u32(1<<16))), ErrSplit, "65536 files"},
	}
	for d := range 4 { // a product that wraps at each step, and a zero in each place
		ne := []uint64{1 << 16, 1 << 16, 1 << 16, 1 << 14}[:d+1]
		ne[d] = 1 << 63
		cases = append(cases, bad{fmt.Sprintf("product wraps at step %d", d), tensor(64, info("x", i8, 0, ne...)), ErrShape, "overflows 63 bits of elements"})
		ne = []uint64{1, 1, 1, 1}
		ne[d] = 1<<64 - 1
		cases = append(cases, bad{fmt.Sprintf("dimension %d of -1", d), tensor(64, info("x", i8, 0, ne...)), ErrShape, "overflows 63 bits of elements"})
		ne[d] = 0
		cases = append(cases, bad{fmt.Sprintf("dimension %d of 0", d), tensor(64, info("x", i8, 0, ne...)), ErrShape, "empty dimension"})
	}
	for _, typ := range []uint32{4, 5, 31, 32, 33, 36, 37, 38, 1 << 31, 1<<32 - 1} {
		cases = append(cases, bad{fmt.Sprintf("type id %d", typ), tensor(64, info("x", typ, 0, 32)), ErrType, fmt.Sprintf(`tensor "x": gguf: wrong type: type id %d `, typ)})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f, err := FromBytes(c.data, ggmlSizes)
			require.Nil(t, f)
			require.ErrorIs(t, err, c.is)
			require.Contains(t, err.Error(), c.says)
			require.Less(t, len(err.Error()), 1000)
		})
	}
}

// What looks like the cases above and is allowed.
func TestNearMisses(t *testing.T) {
	const f32, q8, i8 = 0, 8, 24
	for name, data := range map[string][]byte{
		"no keys, no tensors":        head(3, 0, 0),
		"no tensors, no padding":     cat(head(3, 0, 1), pair("k", 0, []byte{1})),
		"name of 64 bytes":           withData(cat(head(3, 1, 0), info(fmt.Sprintf("%064d", 0), f32, 0, 1)), 4),
		"ends with the last byte":    withData(cat(head(3, 1, 0), info("x", f32, 0, 16)), 64),
		"a hole between tensors":     withData(cat(head(3, 2, 0), info("x", f32, 0, 1), info("y", f32, 96, 1)), 128),
		"bytes after the last":       withData(cat(head(3, 1, 0), info("x", f32, 0, 1)), 1000),
		"alignment 1":                cat(head(3, 2, 1), pair("general.alignment", 4, u32(1)), info("x", i8, 0, 1), info("y", i8, 1, 1), []byte{1, 2}),
		"alignment 2^31, no tensors": cat(head(3, 0, 1), pair("general.alignment", 4, u32(1<<31))),
		"block row":                  withData(cat(head(3, 1, 0), info("x", q8, 0, 32, 1, 1, 1)), 34),
		"split count of 1":           cat(head(3, 0, 1), pair("split.count", 2, []byte{1, 0})),
		"split count of 0":           cat(head(3, 0, 1), pair("split.count", 2, []byte{0, 0})),
	} {
		t.Run(name, func(t *testing.T) {
			f, err := FromBytes(data, ggmlSizes)
			require.NoError(t, err)
			sound(t, f, err)
		})
	}
}

// A SizeFunc that gives nonsense must not become a division by zero.
func TestBadSizeFunc(t *testing.T) {
	data := withData(cat(head(3, 1, 0), info("x", 0, 0, 1)), 64)
	for _, s := range [][2]int{{0, 4}, {4, 0}, {-1, 4}, {4, -1}} {
		_, err := FromBytes(data, func(uint32) (int, int, bool) { return s[0], s[1], true })
		require.ErrorIs(t, err, ErrType)
	}
}
