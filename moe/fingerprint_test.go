package moe_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

// taleFingerprint is the SHA-256 over the logits' bits of the embedded model, as
// examples/fingerprint prints it. It is the same on every machine.
const taleFingerprint = "5ee5a89debd07b979c99ffc7a93b1238dbe87e369f01e349cb5e39f16d309c30"

// TestFingerprint: one print over every instruction set of this machine, 1, 2 and
// 5 threads, chunks of 1, 7 and 64, alone and in a batch.
func TestFingerprint(t *testing.T) {
	open := func(path string) func(...moe.Option) (*moe.Model, error) {
		return func(o ...moe.Option) (*moe.Model, error) { return moe.Open(path, o...) }
	}
	type model struct {
		name, want string
		open       func(...moe.Option) (*moe.Model, error)
	}
	models := []model{{"tale", taleFingerprint, moetest.Tale}}
	for _, pattern := range []string{"testdata/golden/*/config.json", "testdata/golden/gguf/*.gguf", "../../shared/tale/gguf/*.gguf"} {
		paths, _ := filepath.Glob(pattern)
		for _, p := range paths {
			if filepath.Base(p) == "config.json" {
				p = filepath.Dir(p)
			}
			models = append(models, model{filepath.Base(p), "", open(p)})
		}
	}
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) {
			want := m.want
			for _, isa := range kernels.ISAs() {
				restore, err := kernels.UseISA(isa)
				if err != nil {
					t.Fatal(err)
				}
				defer restore()
				for _, c := range []struct{ threads, chunk, batch int }{{1, 64, 1}, {2, 7, 1}, {5, 1, 3}} {
					if isa == "portable" && m.name != "tale" && (testing.Short() || c.threads != 1) {
						continue // slow: one setting of each model is enough
					}
					got := fingerprint(t, m.open, c.threads, c.chunk, c.batch)
					if want == "" {
						want = got
					}
					if got != want {
						t.Errorf("%s, %+v: %s, want %s", isa, c, got, want)
					}
				}
				restore()
			}
		})
	}
}

// fingerprint hashes the logits of a prompt of 15 tokens and of 32 (Tale) or 4
// after it.
func fingerprint(t *testing.T, open func(...moe.Option) (*moe.Model, error), threads, chunk, batch int) string {
	t.Helper()
	m, err := open(moe.WithThreads(threads))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	tok, err := m.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	ids := tok.Encode("Once upon a time there was a king who had three daughters", true, true)
	n := 4
	if m.Config().Vocab == 2048 {
		n = 32
	}
	vocab := m.Config().Vocab
	states := make([]*moe.State, batch)
	for i := range states {
		states[i] = m.NewState()
	}
	h := sha256.New()
	next := ids
	for done := 0; done < len(ids)+n; {
		part := next[:min(chunk, len(next))]
		next = next[len(part):]
		steps := make([]moe.Step, batch)
		for i := range steps {
			steps[i] = moe.Step{State: states[i], Tokens: make([]int32, len(part)), All: true}
			for j, id := range part {
				steps[i].Tokens[j] = (id + int32(i)) % int32(vocab)
			}
		}
		if err := m.ForwardBatch(context.Background(), steps); err != nil {
			t.Fatal(err)
		}
		for _, v := range steps[0].Logits {
			h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
		}
		if done += len(part); len(next) == 0 {
			last := steps[0].Logits[len(steps[0].Logits)-vocab:]
			best := 0
			for i, v := range last {
				if v > last[best] {
					best = i
				}
			}
			next = []int32{int32(best)}
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

const sharedTale = "../../shared/tale"

func taleDir(t *testing.T) string {
	if _, err := os.Stat(filepath.Join(sharedTale, "model.safetensors")); err != nil {
		t.Skip("the trained checkpoint does not lie beside the project")
	}
	return sharedTale
}
