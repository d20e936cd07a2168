package quant

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/coterie-go/coterie/kernels"
)

// tensors reads a safetensors file: the metadata and the raw bytes by name.
func tensors(t testing.TB, path string) (meta map[string]string, data map[string][]byte, shapes map[string][]int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := le.Uint64(raw)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(raw[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	data, shapes = map[string][]byte{}, map[string][]int{}
	for name, h := range header {
		if name == "__metadata__" {
			if err := json.Unmarshal(h, &meta); err != nil {
				t.Fatal(err)
			}
			continue
		}
		var e struct {
			Shape []int
			Off   [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(h, &e); err != nil {
			t.Fatal(err)
		}
		data[name] = raw[8+n:][e.Off[0]:e.Off[1]]
		shapes[name] = e.Shape
	}
	return meta, data, shapes
}

// TestGolden holds Dequantize against the values of the reference decoder, bit
// for bit. COTERIE_QUANT names another folder of files of the same layout.
func TestGolden(t *testing.T) {
	dir := os.Getenv("COTERIE_QUANT")
	if dir == "" {
		dir = "testdata"
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no *.safetensors in %s (%v)", dir, err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			meta, data, _ := tensors(t, path)
			typ, err := Parse(meta["type"])
			if err != nil {
				t.Fatal(err)
			}
			if id, _ := strconv.Atoi(meta["ggml_type"]); Type(id) != typ {
				t.Errorf("%v has number %d in the file", typ, id)
			}
			if got, want := strconv.Itoa(typ.BlockBytes()), meta["block_bytes"]; typ.BlockLen() > 1 && got != want {
				t.Errorf("block has %s bytes, want %s", got, want)
			}
			want := make([]float32, len(data["values"])/4)
			kernels.F32.Load(want, data["values"])
			got := make([]float32, len(want))
			if err := Dequantize(got, typ, data["blocks"]); err != nil {
				t.Fatal(err)
			}
			wrong := 0
			for i, w := range want {
				if math.Float32bits(got[i]) != math.Float32bits(w) && !(w != w && got[i] != got[i]) {
					if wrong++; wrong < 4 {
						t.Errorf("value %d: got %g, want %g", i, got[i], w)
					}
				}
			}
			if wrong > 0 || len(want) == 0 {
				t.Errorf("%d of %d values differ", wrong, len(want))
			}
		})
	}
}
