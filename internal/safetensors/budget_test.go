package safetensors

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dense returns files that cost the most memory for their size, n things each.
func dense(n int) map[string][]byte {
	var tensors, dims, metadata strings.Builder
	for i := range n {
		fmt.Fprintf(&tensors, `,"%x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i)
		if i < n/4 {
			fmt.Fprintf(&dims, `,"%x":{"dtype":"U8","shape":[%s0],"data_offsets":[0,0]}`, i, strings.Repeat("0,", 63))
		}
		if i < maxMetadata {
			fmt.Fprintf(&metadata, `,"%x":""`, i)
		}
	}
	return map[string][]byte{
		"tensors":    file("{"+tensors.String()[1:]+"}", 0),
		"dimensions": file("{"+dims.String()[1:]+"}", 0),
		"metadata":   file(`{"__metadata__":{`+metadata.String()[1:]+"}}", 0),
		"one name":   file(object(entry(strings.Repeat("x", 50*n), "U8", "1", 0, 1)), 1),
		"escapes":    file(object(entry(strings.Repeat(`\n`, 25*n), "U8", "1", 0, 1)), 1),
		"white":      file("{"+strings.Repeat(" ", 50*n)+"}", 0),
	}
}

// claims look dense at first.
func claims(n int) map[string][]byte {
	return map[string][]byte{
		"braces in a name": file(`{"`+strings.Repeat("{", n), 0),
		"open objects":     file(strings.Repeat(`{"":`, n/4), 0),
		"zeros":            file("{"+string(make([]byte, n)), 0),
		"unknown dtypes":   file("{"+strings.Repeat(`"":{"dtype":"?"},`, n/17), 0),
	}
}

// denseIndex lists n tensors of one file.
func denseIndex(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"weight_map":{"":"f"`)
	for i := range n {
		fmt.Fprintf(&b, `,"%x":"f"`, i)
	}
	b.WriteString("}}")
	return []byte(b.String())
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
	check := func(name string, data []byte, valid bool, parse func([]byte) error) {
		t.Run(name, func(t *testing.T) {
			var err error
			got := allocated(func() { err = parse(data) })
			require.Equal(t, valid, err == nil, "%v", err)
			t.Logf("%d bytes for a file of %d: %.2f times", got, len(data), float64(got)/float64(len(data)))
			require.LessOrEqual(t, got, int64(4*len(data)+16<<20))
		})
	}
	header := func(data []byte) error { _, err := FromBytes(data); return err }
	for name, data := range dense(300_000) {
		check(name, data, true, header)
	}
	for name, data := range claims(16 << 20) {
		check(name, data, false, header)
	}
	index := func(data []byte) error { _, err := parseIndex(data); return err }
	check("index", denseIndex(600_000), true, index)
	check("index of braces", []byte(`{"weight_map":{"`+strings.Repeat("{", 16<<20)), false, index)
}

// 16 times the file must take about 16 times as long: 256 times would be
// quadratic. The bound lies between, far from both, for the sake of busy machines.
func TestTime(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	best := func(data []byte, parse func([]byte) error) time.Duration {
		least := time.Hour
		for range 4 {
			start := time.Now()
			if err := parse(data); err != nil {
				t.Fatal(err)
			}
			least = min(least, time.Since(start))
		}
		return least
	}
	few, many := dense(3_000), dense(48_000)
	few["index"], many["index"] = denseIndex(3_000), denseIndex(48_000)
	for name := range few {
		parse := func(data []byte) error { _, err := FromBytes(data); return err }
		if name == "index" {
			parse = func(data []byte) error { _, err := parseIndex(data); return err }
		}
		a, b := best(few[name], parse), best(many[name], parse)
		t.Logf("%s: %v, %v for 16 times as much", name, a, b)
		require.Less(t, b, 128*a+20*time.Millisecond, name)
	}
}
