package safetensors

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// saveShards writes two shards and an index into a directory and returns it.
func saveShards(t *testing.T, weightMap string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"m-00002-of-00002.safetensors": file(object(`"__metadata__":{"from":"2"}`, entry("a", "U8", "4", 0, 4)), 4),
		"m-00001-of-00002.safetensors": file(object(`"__metadata__":{"from":"1"}`, entry("b", "U8", "2", 0, 2), entry("c", "BF16", "1,2", 2, 6)), 6),
		indexName:                      []byte(`{"metadata":{"total_size":10,"x":[1,{"y":null}]},"weight_map":{` + weightMap + `}}`),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	return dir
}

const goodMap = `"a":"m-00002-of-00002.safetensors","b":"m-00001-of-00002.safetensors","c":"m-00001-of-00002.safetensors"`

func TestIndex(t *testing.T) {
	dir := saveShards(t, goodMap)
	for _, path := range []string{dir, filepath.Join(dir, indexName)} {
		f, err := Open(path)
		require.NoError(t, err)
		sound(t, f, err)
		require.Equal(t, []string{"a", "b", "c"}, f.Names())
		require.Len(t, f.Shards(), 2)
		require.Equal(t, map[string]string{"from": "1"}, f.Metadata())
		for name, want := range map[string][]byte{"a": {0, 1, 2, 3}, "b": {0, 1}, "c": {2, 3, 4, 5}} {
			x, ok := f.Tensor(name)
			require.True(t, ok)
			require.Equal(t, want, f.Bytes(x))
			p := make([]byte, x.Size)
			_, err := f.Shards()[x.Shard].ReadAt(p, x.Offset)
			require.NoError(t, err)
			require.Equal(t, want, p)
		}
		require.NoError(t, f.Close())
	}
}

// An index need not list everything: what it leaves out is there all the same.
func TestIndexIncomplete(t *testing.T) {
	f, err := Open(saveShards(t, `"b":"m-00001-of-00002.safetensors"`))
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, []string{"b", "c"}, f.Names())
}

func TestIndexRefused(t *testing.T) {
	shard := "m-00001-of-00002.safetensors"
	t.Run("wrong shard", func(t *testing.T) {
		_, err := Open(saveShards(t, goodMap[:strings.Index(goodMap, `"c"`)]+`"c":"m-00002-of-00002.safetensors"`))
		require.ErrorIs(t, err, ErrIndex)
		require.Contains(t, err.Error(), `tensor "c" is in m-00001-of-00002.safetensors, expected in m-00002-of-00002.safetensors`)
	})
	t.Run("tensor in neither", func(t *testing.T) {
		_, err := Open(saveShards(t, goodMap+`,"d":"`+shard+`"`))
		require.ErrorIs(t, err, ErrIndex)
		require.Contains(t, err.Error(), `tensor "d" is not in `+shard)
	})
	t.Run("shard missing", func(t *testing.T) {
		_, err := Open(saveShards(t, goodMap+`,"d":"absent.safetensors"`))
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.Contains(t, err.Error(), "absent.safetensors")
	})
	t.Run("tensor in two shards", func(t *testing.T) {
		dir := saveShards(t, goodMap)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "m-00002-of-00002.safetensors"),
			file(object(entry("a", "U8", "4", 0, 4), entry("b", "U8", "1", 4, 5)), 5), 0o644))
		_, err := Open(dir)
		require.ErrorIs(t, err, ErrDuplicate)
		require.Contains(t, err.Error(), `tensor "b" occurs in `)
		require.Contains(t, err.Error(), "m-00002-of-00002.safetensors")
	})
	t.Run("damaged shard", func(t *testing.T) {
		dir := saveShards(t, goodMap)
		require.NoError(t, os.Truncate(filepath.Join(dir, "m-00002-of-00002.safetensors"), 20))
		_, err := Open(dir)
		require.ErrorIs(t, err, ErrTruncated)
		require.Contains(t, err.Error(), "m-00002-of-00002.safetensors")
	})
	for _, name := range []string{"", ".", "..", "../" + shard, "/etc/passwd", "sub/" + shard, `..\\` + shard, `C:` + shard,
		`\\\\host\\share`, `a\u0000b`, `\u002e\u002e\u002fx`, "x:stream", "./" + shard} {
		t.Run("file "+name, func(t *testing.T) {
			_, err := Open(saveShards(t, goodMap+`,"d":"`+name+`"`))
			require.ErrorIs(t, err, ErrIndex)
			require.Contains(t, err.Error(), "expected a plain name in the index's directory")
			require.Contains(t, err.Error(), `tensor "d"`)
		})
	}
	for _, c := range []struct {
		name, data string
		is         error
		says       string
	}{
		{"empty", "", ErrHeader, "JSON ends"},
		{"not an object", "[]", ErrHeader, "expected {"},
		{"no map", `{"metadata":{}}`, ErrIndex, "no tensors"},
		{"empty map", `{"weight_map":{}}`, ErrIndex, "no tensors"},
		{"map twice", `{"weight_map":{"a":"f"},"weight_map":{"a":"f"}}`, ErrDuplicate, `"weight_map" occurs twice`},
		{"empty map, then another", `{"weight_map":{},"weight_map":{"a":"f"}}`, ErrDuplicate, `"weight_map" occurs twice`},
		{"tensor twice", `{"weight_map":{"a":"f","a":"g"}}`, ErrDuplicate, `tensor "a" occurs twice`},
		{"tensor twice, in disguise", `{"weight_map":{"a":"f","\u0061":"f"}}`, ErrDuplicate, `tensor "a" occurs twice`},
		{"map of numbers", `{"weight_map":{"a":1}}`, ErrHeader, `tensor "a"`},
		{"map is a list", `{"weight_map":["a"]}`, ErrHeader, "expected {"},
		{"trailing bytes", `{"weight_map":{"a":"f"}}x`, ErrHeader, "expected the end"},
		{"deep", `{"x":` + strings.Repeat(`{"x":`, 100_000), ErrTooLarge, "nests deeper than 64"},
		{"deep lists", `{"x":` + strings.Repeat(`[`, 1_000_000), ErrTooLarge, "nests deeper than 64"},
		{"ends in the map", `{"weight_map":{"a":"f"`, ErrHeader, "JSON ends"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := saveShards(t, "")
			require.NoError(t, os.WriteFile(filepath.Join(dir, indexName), []byte(c.data), 0o644))
			f, err := Open(dir)
			require.Nil(t, f)
			require.ErrorIs(t, err, c.is)
			require.Contains(t, err.Error(), c.says)
			require.Contains(t, err.Error(), indexName)
		})
	}
}

func TestIndexTruncatedEverywhere(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(saveShards(t, goodMap), indexName))
	require.NoError(t, err)
	_, err = parseIndex(data)
	require.NoError(t, err)
	for n := range data {
		_, err := parseIndex(data[:n])
		require.Error(t, err, "the first %d bytes", n)
	}
}

func TestIndexFlippedEverywhere(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(saveShards(t, goodMap), indexName))
	require.NoError(t, err)
	for i, old := range data {
		for b := range 256 {
			data[i] = byte(b)
			ix, err := parseIndex(data)
			if err != nil {
				sound(t, nil, err)
				continue
			}
			for _, name := range ix.files {
				require.NoError(t, plain(name))
			}
		}
		data[i] = old
	}
}

func TestIndexTooManyFiles(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"weight_map":{"-":"-"`)
	for i := range maxShards {
		fmt.Fprintf(&b, `,"%d":"%d"`, i, i)
	}
	b.WriteString("}}")
	_, err := parseIndex([]byte(b.String()))
	require.ErrorIs(t, err, ErrTooLarge)
	require.Contains(t, err.Error(), "65536 files")
}

func TestOpenPaths(t *testing.T) {
	_, err := Open(t.TempDir())
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Contains(t, err.Error(), "neither")
	_, err = Open(filepath.Join(t.TempDir(), "absent.safetensors"))
	require.ErrorIs(t, err, fs.ErrNotExist)

	dir := t.TempDir()
	path := filepath.Join(dir, singleName)
	require.NoError(t, os.WriteFile(path, file(object(entry("x", "U8", "4", 0, 4)), 4), 0o644))
	for _, p := range []string{dir, path} {
		f, err := Open(p)
		require.NoError(t, err)
		require.Equal(t, []string{"x"}, f.Names())
		require.Equal(t, path, f.Shards()[0].Path())
		require.NoError(t, f.Close())
	}
	require.NoError(t, os.WriteFile(path, file("{}", 4), 0o644))
	_, err = Open(dir)
	require.ErrorIs(t, err, ErrGap)
	require.Contains(t, err.Error(), path)
}

// Open must leave no file open when it fails: on Linux the open ones can be
// counted.
func TestOpenLeaksNothing(t *testing.T) {
	count := func() int {
		d, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(d)
	}
	dir := saveShards(t, goodMap+`,"d":"m-00001-of-00002.safetensors"`)
	before := count()
	for range 20 {
		_, err := Open(dir)
		require.ErrorIs(t, err, ErrIndex)
	}
	require.InDelta(t, before, count(), 3)
}
