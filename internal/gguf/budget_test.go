package gguf

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dense returns files that cost the most memory for their size, n things each.
func dense(n int) map[string][]byte {
	var infos, strs, pairs, keys bytes.Buffer
	infos.Write(head(3, uint64(n), 1))
	infos.Write(pair("general.alignment", 4, u32(1)))
	for i := range n {
		infos.Write(info(fmt.Sprintf("%x", i), 24, uint64(i), 1))
	}
	infos.Write(make([]byte, n))

	strs.Write(cat(head(3, 0, 1), text("k"), u32(9), u32(8), u64(uint64(3*n))))
	for range n {
		strs.Write(cat(text(""), text("a"), text("bc")))
	}
	m := min(n, maxKV)
	pairs.Write(head(3, 0, uint64(m)))
	keys.Write(head(3, 0, uint64(m)))
	for i := range m {
		pairs.Write(pair(fmt.Sprintf("%x", i), 4, u32(uint32(i))))
		keys.Write(pair(fmt.Sprintf("%x", i), 9, list(8, 0, nil)))
	}
	return map[string][]byte{
		"tensors":      infos.Bytes(),
		"strings":      strs.Bytes(),
		"keys":         pairs.Bytes(),
		"empty arrays": keys.Bytes(),
		"numbers":      cat(head(3, 0, 1), pair("k", 9, list(10, uint64(n), make([]byte, 8*n)))),
		"bools":        cat(head(3, 0, 1), pair("k", 9, list(7, uint64(8*n), make([]byte, 8*n)))),
		"one string":   cat(head(3, 0, 1), pair("k", 8, text(string(make([]byte, 8*n))))),
	}
}

// claims are files that hold little and claim as much as passes the first look.
func claims(n int) map[string][]byte {
	zeros := make([]byte, n)
	return map[string][]byte{
		"claimed tensors": cat(head(3, uint64(n/33), 0), zeros),
		"claimed keys":    cat(head(3, 0, maxKV), zeros),
		"claimed strings": cat(head(3, 0, 1), text("k"), u32(9), u32(8), u64(uint64(n/8)), zeros[:n-1]),
		"claimed numbers": cat(head(3, 0, 1), text("k"), u32(9), u32(10), u64(uint64(n/8)), zeros[:n-1]),
	}
}

// allocated returns all the bytes that f allocates, collected since or not: an
// upper bound of what it holds at any time.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

func TestMemory(t *testing.T) {
	const n = 300_000
	check := func(name string, data []byte, valid bool) {
		t.Run(name, func(t *testing.T) {
			var f *File
			var err error
			got := allocated(func() { f, err = FromBytes(data, ggmlSizes) })
			require.Equal(t, valid, err == nil, "%v", err)
			runtime.KeepAlive(f)
			t.Logf("%d bytes for a file of %d: %.2f times", got, len(data), float64(got)/float64(len(data)))
			require.LessOrEqual(t, got, int64(4*len(data)+16<<20))
		})
	}
	for name, data := range dense(n) {
		check(name, data, true)
	}
	for name, data := range claims(32 << 20) {
		check(name, data, false)
	}
}

// 16 times the file must take about 16 times as long: 256 times would be
// quadratic. The bound lies between, far from both, for the sake of busy machines.
func TestTime(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	best := func(data []byte) time.Duration {
		least := time.Hour
		for range 4 {
			start := time.Now()
			if _, err := FromBytes(data, ggmlSizes); err != nil {
				t.Fatal(err)
			}
			least = min(least, time.Since(start))
		}
		return least
	}
	few, many := dense(3_000), dense(48_000)
	for name := range few {
		a, b := best(few[name]), best(many[name])
		t.Logf("%s: %v, %v for 16 times as much", name, a, b)
		require.Less(t, b, 128*a+20*time.Millisecond, name)
	}
}
