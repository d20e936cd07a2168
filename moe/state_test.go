package moe

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/coterie-go/coterie/kernels"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var cacheTypes = []CacheType{CacheF32, CacheF16, CacheQ8}

// goldenModels returns the small models in testdata and Tale.
func goldenModels(t testing.TB) []string {
	paths, err := filepath.Glob("testdata/golden/*/config.json")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for i, p := range paths {
		paths[i] = filepath.Dir(p)
	}
	return append(paths, "moetest/tale.gguf")
}

func open(t testing.TB, path string, opts ...Option) *Model {
	t.Helper()
	m, err := Open(path, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// A long context, so that windows close, and the keys of single tokens are cut
// into runs where there are threads enough: the same bits in any case, for each
// type of cache.
func TestLongContextBits(t *testing.T) {
	const prompt, decoded = 330, 3
	for _, path := range goldenModels(t) {
		for _, cache := range cacheTypes {
			t.Run(fmt.Sprintf("%s-%s", filepath.Base(path), cache), func(t *testing.T) {
				var want []float32
				for _, c := range []struct{ threads, chunk, batch int }{{1, 512, 1}, {3, 37, 3}, {16, 512, 1}} {
					m := open(t, path, WithCache(cache), WithThreads(c.threads), WithChunk(c.chunk))
					ids := somePrompt(m, prompt+decoded, 7)
					var got []float32
					states := make([]*State, c.batch)
					for i := range states {
						states[i] = m.NewState()
					}
					for at := 0; at < len(ids); {
						n := 1
						if at == 0 {
							n = prompt
						}
						steps := make([]Step, c.batch)
						for i := range steps { // the others are shorter and other texts
							part := ids[at : at+n]
							if i > 0 {
								part = part[(n-1)*i/c.batch:]
							}
							steps[i] = Step{State: states[i], Tokens: part}
						}
						require.NoError(t, m.ForwardBatch(t.Context(), steps))
						got = append(got, steps[0].Logits...)
						at += n
					}
					if want == nil {
						want = got
					}
					sameBits(t, fmt.Sprintf("%+v", c), got, want)
					require.Equal(t, ids, states[0].Tokens())
					m.Close()
				}
			})
		}
	}
}

// Memory is what the format needs and no more: rank and rotary values for a token
// and layer of latent attention, keys and values of the key-value heads of others,
// and of layers with a window the window.
func TestStateBytes(t *testing.T) {
	size := func(c CacheType, n int) int { // of a part of n values
		switch {
		case c == CacheF32:
			return 4 * n
		case c == CacheF16 || n%32 != 0:
			return 2 * n
		}
		return n / 32 * 34
	}
	for _, path := range goldenModels(t) {
		for _, cache := range cacheTypes {
			m := open(t, path, WithCache(cache), WithChunk(100))
			for _, n := range []int{1, 64, 65, 300, 500} {
				s := m.NewState()
				_, err := m.Forward(t.Context(), s, somePrompt(m, n, 1))
				require.NoError(t, err)
				want := int64(4 * n)
				for _, l := range m.cfg.Layers {
					if l.Recurrent {
						continue
					}
					token := m.cfg.KVHeads * (size(cache, m.cfg.HeadDim) + size(cache, m.cfg.ValueDim))
					if a := m.cfg.Latent; a != nil {
						token = size(cache, a.RopeDim) + size(cache, a.KVRank)
					}
					if x := m.cfg.Indexer; x != nil {
						if token += 2 * x.Dim; cache == CacheF32 {
							token += 2 * x.Dim
						}
					}
					first := 0 // that one of the next token, or of those after going back by 64, sees
					switch {
					case l.Window > 0:
						first = max(n-64-l.Window+1, 0)
					case l.Chunk > 0:
						first = max(n-64, 0) / l.Chunk * l.Chunk
					}
					pages := (n+63)/64 - first/64
					want += int64(64 * token * pages)
				}
				require.Equal(t, want, s.Bytes()-s.rec.bytes(), "%s, %s, %d tokens", path, cache, n)
			}
			m.Close()
		}
	}
}

// After Truncate a state goes on as one that never had the rest; windows say what
// they have let go of.
func TestTruncate(t *testing.T) {
	for _, path := range goldenModels(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m := open(t, path)
			ids := somePrompt(m, 400, 3)
			s := m.NewState()
			_, err := m.Forward(t.Context(), s, ids[:330])
			require.NoError(t, err)
			require.NoError(t, s.Checkpoint())
			other := somePrompt(m, 60, 4)
			f, err := s.Fork()
			require.NoError(t, err)
			_, err = m.Forward(t.Context(), s, other)
			require.NoError(t, err)
			require.NoError(t, s.Truncate(330))
			require.Equal(t, ids[:330], s.Tokens())
			got, err := m.Forward(t.Context(), s, ids[330:])
			require.NoError(t, err)
			want, err := m.Forward(t.Context(), f, ids[330:])
			require.NoError(t, err)
			sameBits(t, "after Truncate, against a fork", got, want)
			whole, err := m.Forward(t.Context(), m.NewState(), ids)
			require.NoError(t, err)
			sameBits(t, "after Truncate", got, whole)

			windows := false
			for _, l := range m.cfg.Layers {
				windows = windows || l.Window > 0 && l.Window < 100 || l.Chunk > 0 && l.Chunk < 100
			}
			if windows {
				n := s.Len()
				require.ErrorIs(t, s.Truncate(100), ErrState)
				require.Equal(t, n, s.Len())
				_, err = m.Forward(t.Context(), s, ids[:1])
				require.NoError(t, err)
			}
			require.NoError(t, s.Truncate(0))
			require.Zero(t, s.Bytes()-s.rec.bytes())
			got, err = m.Forward(t.Context(), s, ids)
			require.NoError(t, err)
			sameBits(t, "from the beginning", got, whole)
			require.Error(t, s.Truncate(401))
			require.Error(t, s.Truncate(-1))
		})
	}
}

// A fork and its origin do not see each other's tokens.
func TestForkIsolation(t *testing.T) {
	m := open(t, "testdata/golden/gpt-oss-mxfp4")
	s := m.NewState()
	ids := somePrompt(m, 200, 1)
	_, err := m.Forward(t.Context(), s, ids[:100])
	require.NoError(t, err)
	f, err := s.Fork()
	require.NoError(t, err)
	a, err := m.Forward(t.Context(), s, ids[100:150])
	require.NoError(t, err)
	a = append([]float32(nil), a...)
	b, err := m.Forward(t.Context(), f, ids[150:])
	require.NoError(t, err)
	whole := func(parts ...[]int32) []float32 {
		s := m.NewState()
		var x []float32
		for _, p := range parts {
			x, err = m.Forward(t.Context(), s, p)
			require.NoError(t, err)
		}
		return x
	}
	sameBits(t, "origin", a, whole(ids[:150]))
	sameBits(t, "fork", b, whole(ids[:100], ids[150:]))
	require.Equal(t, ids[:150], s.Tokens())
}

// Logits with keys and values in f16 differ from those in f32 by less than 1e-3 of
// their size (root mean square), and with q8_0 by what 8 bits give, as long as the
// experts are the same: which of two near experts wins is no matter of degree.
func TestCacheTypes(t *testing.T) {
	for _, path := range goldenModels(t) {
		golden := filepath.Join(path, "golden.safetensors")
		if !exists(golden) {
			continue
		}
		f16, q8 := cacheErrors(t, path, readWant(t, golden).ids)
		if open(t, path).cfg.Indexer == nil { // its choice is not forced
			assert.LessOrEqual(t, f16.relative, 1e-3, "%s, f16", path)
			assert.LessOrEqual(t, f16.largest, 1e-2, "%s, f16", path)
			assert.LessOrEqual(t, q8.relative, 2e-2, "%s, q8_0", path)
		}
	}
}

// So do those of the trained model on held-out text.
func TestCacheTypesTrained(t *testing.T) {
	const dir = "../../shared/tale"
	text, err := os.ReadFile(dir + "/heldout.txt")
	if err != nil {
		t.Skip("no ../../shared/tale")
	}
	m := open(t, dir)
	tok, err := m.Tokenizer()
	require.NoError(t, err)
	ids := tok.Encode(string(text[:8000]), true, false)
	ids = ids[:min(len(ids), m.cfg.Context, 1500)]
	f16, q8 := cacheErrors(t, dir, ids)
	require.LessOrEqual(t, f16.relative, 1e-3)
	require.LessOrEqual(t, f16.largest, 1e-2)
	require.LessOrEqual(t, q8.relative, 2e-2)
}

// cacheError is how far logits are from those with keys and values in f32.
type cacheError struct{ relative, largest float64 }

// cacheErrors compares the logits of all ids, with the experts chosen with f32.
func cacheErrors(t *testing.T, path string, ids []int32) (f16, q8 cacheError) {
	type route struct {
		ids     []int32
		weights []float32
	}
	routes := map[[2]int]route{}
	var want []float32
	for _, cache := range []CacheType{CacheF32, CacheF16, CacheQ8} {
		m := open(t, path, WithCache(cache), WithFloatActivations(), WithRouteOverride(func(layer, pos int, ids []int32, weights []float32) {
			if r, ok := routes[[2]int{layer, pos}]; ok {
				copy(ids, r.ids)
				copy(weights, r.weights)
			} else {
				routes[[2]int{layer, pos}] = route{slices.Clone(ids), slices.Clone(weights)}
			}
		}))
		got, err := m.ForwardAll(context.Background(), m.NewState(), ids)
		require.NoError(t, err)
		if want == nil {
			want = got
			continue
		}
		var e cacheError
		var diff, norm float64
		for i, v := range want {
			d := float64(got[i]) - float64(v)
			e.largest, diff, norm = max(e.largest, math.Abs(d)), diff+d*d, norm+float64(v)*float64(v)
		}
		e.relative = math.Sqrt(diff / norm)
		t.Logf("%-18s %4s: %d tokens, relative error %.2g, largest difference %.2g, logits of %.2g", filepath.Base(path), cache, len(ids), e.relative, e.largest, math.Sqrt(norm/float64(len(want))))
		if cache == CacheF16 {
			f16 = e
		} else {
			q8 = e
		}
		m.Close()
	}
	return f16, q8
}

// Blocks of q8_0 hold 32 values to half a step, and say when one is not a number.
func TestStoreQ8(t *testing.T) {
	x := make([]float32, 64)
	for i := range x {
		x[i] = float32(math.Sin(float64(i)) * math.Exp(float64(i%9)))
	}
	dst := make([]byte, 68)
	row := newRowLayout(kernels.Q8_0, 64, 0)
	require.Equal(t, 68, row.bytes)
	row.parts[0].store(dst, x)
	got := make([]float32, 64)
	row.expand(got, dst, 0, 1)
	for b := 0; b < 64; b += 32 {
		most := 0.0
		for _, v := range x[b : b+32] {
			most = max(most, math.Abs(float64(v)))
		}
		for i := b; i < b+32; i++ {
			require.InDelta(t, x[i], got[i], most/127*0.51+most*0x1p-10)
		}
	}
	x[40] = float32(math.NaN())
	row.parts[0].store(dst, x)
	row.expand(got, dst, 0, 1)
	require.True(t, math.IsNaN(float64(got[33])))
	clear(x)
	row.parts[0].store(dst, x)
	row.expand(got, dst, 0, 1)
	require.Equal(t, x, got)
}

// A state that nobody holds any longer is freed, though its model lives on.
func TestStateIsFreed(t *testing.T) {
	m := open(t, "testdata/golden/llama")
	freed := make(chan bool, 1)
	func() {
		s := m.NewState()
		_, err := m.Forward(t.Context(), s, somePrompt(m, 200, 1))
		require.NoError(t, err)
		_, err = m.Forward(t.Context(), s, []int32{1})
		require.NoError(t, err)
		runtime.AddCleanup(s, func(c chan bool) { c <- true }, freed)
	}()
	for range 20 {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Error("the state is still there")
}
