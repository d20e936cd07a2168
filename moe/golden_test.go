package moe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"github.com/coterie-go/coterie/internal/safetensors"
)

// What "right" means, against the reference implementation in float32.
const (
	logitError  = 2e-4 // absolute, of logits and hidden states
	squareError = 1e-9 // sum of squared differences over sum of squares
	gateError   = 1e-5 // of the weights of chosen experts
)

// goldenDirs returns the folders of cases: COTERIE_GOLDEN if set, else the small
// copy in testdata and the whole collection where it lies beside the project.
func goldenDirs(t *testing.T) (dirs []string, given bool) {
	if dir := os.Getenv("COTERIE_GOLDEN"); dir != "" {
		return []string{dir}, true
	}
	dirs = []string{"testdata/golden"}
	if _, err := os.Stat("../../shared/golden"); err == nil {
		dirs = append(dirs, "../../shared/golden")
	}
	return dirs, false
}

// TestGolden holds every case of a folder laid out as <family>/{config.json,
// model.safetensors, golden.safetensors} and gguf/<family>.gguf against the
// reference's numbers. COTERIE_GOLDEN names another folder.
func TestGolden(t *testing.T) {
	dirs, _ := goldenDirs(t)
	understood := 0
	for _, dir := range dirs {
		cases, err := filepath.Glob(filepath.Join(dir, "*", "golden.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		sort.Strings(cases)
		for _, c := range cases {
			hub := filepath.Dir(c)
			name := filepath.Base(hub)
			paths := []string{hub}
			if g := filepath.Join(dir, "gguf", name+".gguf"); exists(g) {
				paths = append(paths, g)
			}
			for _, p := range paths {
				t.Run(name+filepath.Ext(p), func(t *testing.T) {
					if ck, err := openCheckpoint(p); errors.Is(err, ErrFamily) {
						t.Skip(err)
					} else if err == nil {
						ck.close()
					}
					understood++
					golden(t, p, c)
				})
			}
		}
	}
	if understood == 0 {
		t.Fatalf("no case of a known family in %v", dirs)
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// want is a golden.safetensors.
type want struct {
	ids, greedy []int32
	logits      []float32
	hidden      map[int][]float32
	idx         map[int][]int32
	gates       map[int][]float32
}

func readWant(t *testing.T, path string) *want {
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := &want{hidden: map[int][]float32{}, idx: map[int][]int32{}, gates: map[int][]float32{}}
	for _, name := range f.Names() {
		x, _ := f.Tensor(name)
		var n int
		switch {
		case name == "input_ids":
			w.ids = ints(f.Bytes(x))
		case name == "greedy":
			w.greedy = ints(f.Bytes(x))
		case name == "logits":
			w.logits = floats(f.Bytes(x))
		case match(name, "hidden.%d", &n):
			w.hidden[n] = floats(f.Bytes(x))
		case match(name, "route.%d.idx", &n):
			w.idx[n] = ints(f.Bytes(x))
		case match(name, "route.%d.weight", &n):
			w.gates[n] = floats(f.Bytes(x))
		}
	}
	return w
}

func match(s, pattern string, n *int) bool {
	_, err := fmt.Sscanf(s, pattern, n)
	return err == nil && fmt.Sprintf(pattern, *n) == s
}

func ints(b []byte) []int32 {
	x := make([]int32, len(b)/4)
	for i := range x {
		x[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

func floats(b []byte) []float32 {
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

// near fails if got is not within the stated errors of want.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	var worst, diff, norm float64
	for i, v := range want {
		d := math.Abs(float64(got[i]) - float64(v))
		if !(d <= worst) {
			worst = d
		}
		diff += d * d
		norm += float64(v) * float64(v)
	}
	if !(worst <= logitError) || !(diff <= squareError*norm) {
		t.Errorf("%s: largest difference %.3g (want %g), normalised squared error %.3g (want %g)", what, worst, logitError, diff/norm, squareError)
	}
}

func golden(t *testing.T, path, wantPath string) {
	w := readWant(t, wantPath)
	ctx := context.Background()
	hidden := map[int][]float32{}
	ids, gates := map[int][]int32{}, map[int][]float32{}
	m, err := Open(path, WithCache(CacheF32), WithFloatActivations(), WithThreads(2),
		withHidden(func(layer int, x []float32) { hidden[layer] = append(hidden[layer], x...) }),
		WithRouteObserver(func(layer, _ int, i []int32, g []float32) {
			ids[layer], gates[layer] = append(ids[layer], i...), append(gates[layer], g...)
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()

	whole, err := m.ForwardAll(ctx, m.NewState(), w.ids)
	if err != nil {
		t.Fatal(err)
	}
	if len(w.hidden) != len(m.cfg.Layers)+1 {
		t.Errorf("%d hidden states, want %d", len(m.cfg.Layers)+1, len(w.hidden))
	}
	for i := range len(w.hidden) {
		near(t, fmt.Sprintf("hidden.%d", i), hidden[i], w.hidden[i])
	}
	near(t, "logits", whole, w.logits)
	if len(w.idx) > 0 && len(w.idx) != m.cfg.Routed() { // Llama 4's reference does not tell its choices
		t.Errorf("%d routed layers, want %d", m.cfg.Routed(), len(w.idx))
	}
	for l, want := range w.idx {
		sameChoice(t, l, m.cfg.Router.TopK, ids[l], want, gates[l], w.gates[l])
	}

	// The same bits in chunks of 7 and token by token.
	for _, size := range []int{7, 1} {
		s := m.NewState()
		var got []float32
		for i := 0; i < len(w.ids); i += size {
			part, err := m.ForwardAll(ctx, s, w.ids[i:min(i+size, len(w.ids))])
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, part...)
		}
		sameBits(t, fmt.Sprintf("chunks of %d", size), got, whole)
	}

	// Greedy decoding.
	s := m.NewState()
	logits, err := m.Forward(ctx, s, w.ids)
	for i, id := range w.greedy {
		if err != nil {
			t.Fatal(err)
		}
		if got := argmax(logits); got != id {
			t.Fatalf("greedy token %d: %d, want %d", i, got, id)
		}
		logits, err = m.Forward(ctx, s, []int32{id})
	}
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Errorf("%s: value %d is %v, want the bits of %v", what, i, got[i], want[i])
			return
		}
	}
}

// sameChoice compares experts as sets, and their weights. It allows no difference
// of choice, not even by a narrow margin: no case needs it.
func sameChoice(t *testing.T, layer, k int, ids, wantIDs []int32, gates, wantGates []float32) {
	t.Helper()
	if len(ids) != len(wantIDs) {
		t.Errorf("layer %d: %d choices, want %d", layer, len(ids), len(wantIDs))
		return
	}
	for at := 0; at < len(ids); at += k {
		want := map[int32]float32{}
		for i := at; i < at+k; i++ {
			want[wantIDs[i]] = wantGates[i]
		}
		for i := at; i < at+k; i++ {
			w, ok := want[ids[i]]
			if !ok {
				t.Errorf("layer %d, token %d: expert %d chosen (%v), want among %v", layer, at/k, ids[i], gates[i], wantIDs[at:at+k])
			} else if d := math.Abs(float64(w - gates[i])); !(d <= gateError) {
				t.Errorf("layer %d, token %d, expert %d: weight %v, want %v", layer, at/k, ids[i], gates[i], w)
			}
		}
	}
}

func argmax(x []float32) int32 {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return int32(best)
}
