package tokenizer

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"testing"
)

// readKV reads the metadata of a GGUF file: a reader for files that are trusted.
func readKV(t testing.TB, path string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skipf("%s is not there", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	u32 := func() uint32 { v := binary.LittleEndian.Uint32(b); b = b[4:]; return v }
	u64 := func() uint64 { v := binary.LittleEndian.Uint64(b); b = b[8:]; return v }
	str := func() string { n := u64(); s := string(b[:n]); b = b[n:]; return s }
	scalar := func(kind uint32) any {
		switch kind {
		case 0, 1, 7:
			v := b[0]
			b = b[1:]
			if kind == 7 {
				return v != 0
			}
			return v
		case 2, 3:
			v := binary.LittleEndian.Uint16(b)
			b = b[2:]
			return v
		case 4:
			return u32()
		case 5:
			return int32(u32())
		case 6:
			return math.Float32frombits(u32())
		case 8:
			return str()
		case 10:
			return u64()
		case 11:
			return int64(u64())
		case 12:
			return math.Float64frombits(u64())
		}
		panic(fmt.Sprintf("%s: type %d", path, kind))
	}
	if u32() != 0x46554747 {
		t.Fatalf("%s is no GGUF file", path)
	}
	u32() // version
	u64() // tensors
	kv := make(map[string]any)
	for range u64() {
		key := str()
		kind := u32()
		if kind != 9 {
			kv[key] = scalar(kind)
			continue
		}
		kind = u32()
		n := int(u64())
		switch kind {
		case 8:
			kv[key] = fill(make([]string, n), func() string { return scalar(kind).(string) })
		case 5:
			kv[key] = fill(make([]int32, n), func() int32 { return scalar(kind).(int32) })
		case 6:
			kv[key] = fill(make([]float32, n), func() float32 { return scalar(kind).(float32) })
		default:
			for range n {
				scalar(kind)
			}
		}
	}
	return kv
}

func fill[T any](s []T, f func() T) []T {
	for i := range s {
		s[i] = f()
	}
	return s
}
