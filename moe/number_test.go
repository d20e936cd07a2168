package moe_test

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/internal/safetensors"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
	"github.com/coterie-go/coterie/quant"
	"github.com/stretchr/testify/require"
)

// tale is the embedded model's file.
//
//go:embed moetest/tale.gguf
var tale []byte

// randomFiles returns the files of moetest's model of a family.
func randomFiles(t testing.TB, family string) map[string][]byte {
	dir := t.TempDir()
	require.NoError(t, moetest.WriteRandom(dir, family, 1))
	files := map[string][]byte{}
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		files[name] = data
	}
	return files
}

// badValues are bytes, little-endian, of what is not a number in each type.
var badValues = map[safetensors.Dtype]map[string][]byte{
	"BF16":    {"NaN": {0xc0, 0x7f}, "+Inf": {0x80, 0x7f}, "-Inf": {0x80, 0xff}},
	"F32":     {"NaN": {0, 0, 0xc0, 0x7f}, "+Inf": {0, 0, 0x80, 0x7f}, "-Inf": {0, 0, 0x80, 0xff}},
	"F8_E4M3": {"NaN": {0x7f}, "-NaN": {0xff}}, // has no infinities
}

var (
	layerNumber  = regexp.MustCompile(`layers\.(\d+)\.`)
	blockNumber  = regexp.MustCompile(`^blk\.(\d+)\.`)
	expertNumber = regexp.MustCompile(`layers\.(\d+)\..*experts\.(\d+)\.`)
)

// TestNumbers: one value in each row of each tensor of each family in turn is not a
// number. Open or Forward says so, and where: small tensors are checked when the
// model is opened, the others when what they give is no number. What is not used is
// not seen: experts that no token is sent to.
func TestNumbers(t *testing.T) {
	families := moetest.Families()
	if testing.Short() {
		families = []string{"deepseek-v3", "gpt-oss-mxfp4", "qwen3-next"}
	}
	for _, family := range families {
		t.Run(family, func(t *testing.T) {
			files := randomFiles(t, family)
			f, err := safetensors.FromBytes(files["model.safetensors"])
			require.NoError(t, err)
			used := map[string]bool{}
			require.NoError(t, runOnce(files, moe.WithRouteObserver(func(layer, _ int, ids []int32, _ []float32) {
				for _, id := range ids {
					used[fmt.Sprintf("layers.%d.expert %d", layer, id)] = true
				}
			})))
			for _, name := range f.Names() {
				if m := expertNumber.FindStringSubmatch(name); m != nil && !used["layers."+m[1]+".expert "+m[2]] {
					continue
				}
				x, _ := f.Tensor(name)
				data, row := f.Bytes(x), x.Shape[len(x.Shape)-1]
				saved := append([]byte(nil), data...)
				bad := badValues[x.Dtype]
				if x.Dtype == "U8" {
					continue // codes and their powers of two are all numbers
				}
				for kind, value := range bad {
					n := int64(len(value))
					for at := row / 3 * n; at < int64(len(data)); at += row * n {
						copy(data[at:], value)
					}
					err := runOnce(files)
					if where := place(name); err == nil || !errors.Is(err, moe.ErrNumber) || !strings.Contains(err.Error(), where) && !strings.Contains(err.Error(), name) {
						t.Errorf("%s in %s %v: want an error that names %q, found %v", kind, name, x.Shape, where, err)
					}
					copy(data, saved)
				}
			}
			require.NoError(t, runOnce(files), "put back")
		})
	}
}

// place is what an error about a tensor is to say.
func place(name string) string {
	switch m := layerNumber.FindStringSubmatch(name); {
	case m != nil:
		return fmt.Sprintf("layer %s ", m[1])
	case strings.Contains(name, "embed"):
		return "embedding of token"
	}
	return "logits at position"
}

// runOnce sends a text through a model. No error means that all logits are finite.
func runOnce(files map[string][]byte, opts ...moe.Option) error {
	m, err := moe.OpenFiles(files, append(opts, moe.WithThreads(1))...)
	if err != nil {
		return err
	}
	defer m.Close()
	return runModel(m)
}

func runModel(m *moe.Model) error {
	logits, err := m.ForwardAll(context.Background(), m.NewState(), []int32{0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110})
	if err != nil {
		return err
	}
	for i, v := range logits {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("no error, and logit %d is %v", i, v)
		}
	}
	return nil
}

// TestNumbersBlocks: the same for the scale of a block in each row of the embedded
// GGUF file's tensors, whose products are integer ones.
func TestNumbersBlocks(t *testing.T) {
	data := append([]byte(nil), tale...)
	f, err := gguf.FromBytes(data, quant.SizeOf)
	require.NoError(t, err)
	for _, x := range f.Tensors() {
		var value []byte
		b := f.Bytes(x)
		if strings.HasPrefix(x.Name, "blk.5.") {
			continue // the prediction layer, which Forward has no use for
		}
		rows := 1
		for _, n := range x.Shape[1:] {
			rows *= int(n)
		}
		switch quant.Type(x.Type) {
		case quant.F32:
			value = []byte{0, 0, 0xc0, 0x7f}
		case quant.Q8_0:
			value = []byte{0x00, 0x7e}
		default:
			t.Fatalf("%s: a type that the test does not know", x.Name)
		}
		saved := append([]byte(nil), b...)
		for kind := range 2 {
			for at := 0; at < len(b); at += len(b) / rows {
				copy(b[at:], value)
			}
			err := openTale(data)
			where := x.Name
			if m := blockNumber.FindStringSubmatch(x.Name); m != nil {
				where = "layer " + m[1] + " "
			} else if strings.HasPrefix(x.Name, "token_embd") {
				where = "embedding of token"
			} else if strings.HasPrefix(x.Name, "output.") {
				where = "logits at position"
			}
			if err == nil || !errors.Is(err, moe.ErrNumber) || !strings.Contains(err.Error(), where) && !strings.Contains(err.Error(), x.Name) {
				t.Errorf("%s, %s %v: want an error that names %q, found %v", []string{"NaN", "Inf"}[kind], x.Name, x.Shape, where, err)
			}
			copy(b, saved)
			if value = []byte{0x00, 0x7c}; quant.Type(x.Type) == quant.F32 {
				value = []byte{0, 0, 0x80, 0x7f}
			}
		}
	}
	require.NoError(t, openTale(data), "put back")
}

func openTale(data []byte) error {
	m, err := moe.OpenBytes(data, moe.WithThreads(1))
	if err != nil {
		return err
	}
	defer m.Close()
	return runModel(m)
}
