package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"testing"
)

// FuzzSafetensors holds that no bytes make the parser panic or return an
// unsound file, and that what it accepts survives being written and read again.
func FuzzSafetensors(f *testing.F) {
	data, _ := small()
	f.Add(data)
	f.Add(file("{}", 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := FromBytes(data)
		sound(t, g, err)
		if err != nil {
			return
		}
		// The length is no secret of the parser's: the header must be JSON.
		if head := data[8 : len(data)-dataBytes(g)]; !json.Valid(head) {
			t.Fatalf("accepted what is not JSON: %q", head)
		}
		first := rewrite(t, g)
		h, err := FromBytes(first)
		if err != nil {
			t.Fatalf("written and not read: %v", err)
		}
		if second := rewrite(t, h); !bytes.Equal(first, second) {
			t.Fatal("written twice, not the same")
		}
	})
}

func dataBytes(f *File) int {
	n := 0
	for _, x := range f.Tensors() {
		n += int(x.Size)
	}
	return n
}

func rewrite(t *testing.T, f *File) []byte {
	tensors := slices.SortedFunc(slices.Values(f.Tensors()), func(a, b *Tensor) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Size, b.Size), cmp.Compare(a.Name, b.Name))
	})
	var data []TensorData
	for _, x := range tensors {
		data = append(data, TensorData{Name: x.Name, Dtype: x.Dtype, Shape: x.Shape, Data: f.Bytes(x)})
	}
	var buf bytes.Buffer
	if err := Write(&buf, f.Metadata(), data); err != nil {
		t.Fatalf("read and not written: %v", err)
	}
	return buf.Bytes()
}

// FuzzIndex holds that no bytes make the index's parser panic, name a file
// outside the directory, or list a tensor twice.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":10},"weight_map":{` + goodMap + `}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		ix, err := parseIndex(data)
		if err != nil {
			sound(t, nil, err)
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted what is not JSON: %q", data)
		}
		for _, name := range ix.files {
			if plain(name) != nil {
				t.Fatalf("file %q", name)
			}
		}
		if !slices.IsSorted(ix.files) || len(slices.Compact(slices.Clone(ix.files))) != len(ix.files) {
			t.Fatalf("files %q", ix.files)
		}
		for i, e := range ix.entries {
			if e.shard < 0 || int(e.shard) >= len(ix.files) || i > 0 && ix.entries[i-1].name >= e.name {
				t.Fatalf("entry %d: %+v", i, e)
			}
		}
		// Where encoding/json reads a map without key twice, it reads the same.
		var want struct {
			Map map[string]string `json:"weight_map"`
		}
		if json.Unmarshal(data, &want) == nil && len(want.Map) == len(ix.entries) {
			for _, e := range ix.entries {
				if want.Map[e.name] != ix.files[e.shard] {
					t.Fatalf("tensor %q in %q, expected in %q", e.name, ix.files[e.shard], want.Map[e.name])
				}
			}
		}
	})
}
