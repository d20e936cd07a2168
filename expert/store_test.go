package expert

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/coterie-go/coterie/internal/par"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/tensor"
	"github.com/stretchr/testify/require"
)

// memory is a source of bytes in memory that counts reads and can hold them up.
type memory struct {
	*bytes.Reader
	reads atomic.Int64
	gate  chan struct{} // reads wait for it to be closed, if there is one
	fail  atomic.Int64  // reads that fail from now on
}

func (m *memory) Path() string           { return "memory" }
func (m *memory) Changed() (bool, error) { return false, nil }
func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	m.reads.Add(1)
	if m.gate != nil {
		<-m.gate
	}
	if m.fail.Add(-1) >= 0 {
		return 0, errors.New("broken")
	}
	return m.Reader.ReadAt(p, off)
}

// bank is some layers of experts, (ff, dim), of random float32 weights in one run
// of bytes: gates, ups and downs of a layer stacked. Later layers are wider.
type bank struct {
	data   []byte
	layers [][]Expert
	file   *memory
}

func newBank(layers, experts, dim int) *bank {
	rng := rand.New(rand.NewPCG(3, 4))
	b := &bank{layers: make([][]Expert, layers)}
	type place struct{ off, rows, k int }
	places := make([][3]place, layers)
	for l := range layers {
		ff := 64 + 32*l
		for p, shape := range [3][2]int{{ff, dim}, {ff, dim}, {dim, ff}} {
			places[l][p] = place{len(b.data), shape[0], shape[1]}
			for range experts * shape[0] * shape[1] {
				b.data = binary.LittleEndian.AppendUint32(b.data, math.Float32bits(float32(rng.NormFloat64())))
			}
		}
	}
	for l := range layers {
		b.layers[l] = make([]Expert, experts)
		for e := range experts {
			part := func(p place) tensor.Linear {
				n := p.rows * p.k * 4
				return tensor.Linear{Weights: kernels.Weights{Format: kernels.F32, Rows: p.rows, K: p.k, Data: b.data[p.off+e*n:][:n], Stride: p.k * 4}}
			}
			b.layers[l][e] = Expert{Gate: part(places[l][0]), Up: part(places[l][1]), Down: part(places[l][2])}
		}
	}
	b.file = &memory{Reader: bytes.NewReader(b.data)}
	return b
}

func (b *bank) stored(t testing.TB) (all [][]Stored) {
	locate := func(p []byte) (int, int64, bool) {
		off := uintptr(unsafe.Pointer(unsafe.SliceData(p))) - uintptr(unsafe.Pointer(unsafe.SliceData(b.data)))
		return 0, int64(off), off < uintptr(len(b.data))
	}
	for _, l := range b.layers {
		var items []Stored
		for e := range l {
			st, err := Place(&l[e], locate)
			require.NoError(t, err)
			items = append(items, st)
		}
		all = append(all, items)
	}
	return all
}

func (b *bank) store(t testing.TB, slots, active int) *Store {
	layers := b.stored(t)
	page := int64(os.Getpagesize())
	largest := (layers[len(layers)-1][0].Size() + page - 1) / page * page
	s, err := NewStore(StoreConfig{Budget: largest * int64(slots), Active: active, Files: []Source{b.file}, Layers: layers})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// input makes up activations and choices for n tokens.
func (b *bank) input(layer, n, k int) *Input {
	rng := rand.New(rand.NewPCG(uint64(layer), uint64(n)))
	dim, experts := b.layers[layer][0].Gate.K, len(b.layers[layer])
	in := &Input{X: tensor.NewActs(n, dim), N: n, Experts: experts, Dst: make([]float32, n*dim)}
	for i := range in.X.F32 {
		in.X.F32[i] = float32(rng.NormFloat64())
	}
	in.Choice.K = k
	for range n {
		p := rng.Perm(experts)
		for i := range k {
			id := int32(p[i])
			if rng.IntN(10) == 0 {
				id = -1
			}
			in.Choice.IDs, in.Choice.Weights = append(in.Choice.IDs, id), append(in.Choice.Weights, rng.Float32())
		}
	}
	in.Expert = func(id int) *Expert { return &b.layers[layer][id] }
	in.Shared = []*Expert{&b.layers[0][1]}
	return in
}

func sameBits(t *testing.T, want, got []float32, what string) {
	t.Helper()
	for i := range want {
		if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
			t.Fatalf("%s: value %d: %v, want the bits of %v", what, i, got[i], want[i])
		}
	}
}

// TestWaves: however many experts fit, and whatever else a mixture has, the bits
// are those of Run.
func TestWaves(t *testing.T) {
	b := newBank(3, 8, 32)
	pool := par.New(3)
	defer pool.Close()
	for _, spec := range []Spec{{}, {WeightBefore: true}, {Activation: SwiGLUClamped, Alpha: 1.702, Limit: 7}} {
		for _, slots := range []int{2, 3, 5, 24} {
			s := b.store(t, slots, 2)
			lease := s.Lease()
			var one, some Mixture
			for _, n := range []int{1, 2, 17, 1} {
				for layer := range b.layers {
					in := b.input(layer, n, 2)
					if n == 2 {
						in.Gate, in.Scale = []float32{0.25, 0.75}, 0.5
					}
					one.Run(pool, &spec, in)
					want := append([]float32(nil), in.Dst...)
					clear(in.Dst)
					require.NoError(t, some.RunLeased(context.Background(), pool, &spec, in, lease, layer))
					sameBits(t, want, in.Dst, fmt.Sprintf("%d slots, %d tokens, layer %d", slots, n, layer))
				}
			}
			m := s.Metrics()
			require.LessOrEqual(t, m.Used, m.Budget)
		}
	}
}

// TestSingleFlight: callers that want the same experts share one read of each.
func TestSingleFlight(t *testing.T) {
	b := newBank(1, 8, 32)
	b.file.gate = make(chan struct{})
	s := b.store(t, 8, 2)
	pieces := 0
	for i := range int32(8) {
		pieces += len(s.split(nil, i, pieceBytes))
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			l := s.Lease()
			l.Begin(0, 1, []int32{0, 1, 2, 3, 4, 5, 6, 7}, []int32{1, 1, 1, 1, 1, 1, 1, 1})
			defer l.End()
			for n := 0; n < 8; {
				ids, err := l.Next(context.Background(), 1)
				if err != nil || len(ids) == 0 {
					t.Errorf("after %d experts: %v, %v", n, ids, err)
					return
				}
				for _, id := range ids {
					if !bytes.Equal(l.Expert(id).Down.Data, b.layers[0][id].Down.Data) {
						t.Errorf("expert %d: other bytes than in the file", id)
					}
				}
				n += len(ids)
			}
		})
	}
	time.Sleep(5 * time.Millisecond)
	close(b.file.gate)
	wg.Wait()
	require.Equal(t, int64(pieces), b.file.reads.Load())
}

// TestNoDeadlock: many callers with less memory than any of them wants.
func TestNoDeadlock(t *testing.T) {
	b := newBank(3, 8, 32)
	s := b.store(t, 2, 2)
	var wg sync.WaitGroup
	for g := range 12 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 0))
			l := s.Lease()
			for range 50 {
				layer := rng.IntN(3)
				var ids, counts []int32
				for _, e := range rng.Perm(8)[:1+rng.IntN(8)] {
					ids, counts = append(ids, int32(e)), append(counts, 1)
				}
				seen := 0
				l.Begin(layer, 1, ids, counts)
				for {
					wave, err := l.Next(context.Background(), 1)
					if err != nil {
						t.Error(err)
					}
					if len(wave) == 0 {
						break
					}
					for _, id := range wave {
						if l.Expert(id).Up.Data[5] != b.layers[layer][id].Up.Data[5] {
							t.Error("other bytes than in the file")
						}
					}
					if rng.IntN(4) == 0 {
						runtime.Gosched()
					}
					seen += len(wave)
				}
				l.End()
				if seen != len(ids) {
					t.Errorf("%d experts, want %d", seen, len(ids))
				}
			}
		})
	}
	wg.Wait()
	m := s.Metrics()
	require.LessOrEqual(t, m.Used, m.Budget)
}

// TestStoreFailure: an error reaches all who wait and leaves nothing behind.
func TestStoreFailure(t *testing.T) {
	b := newBank(2, 4, 32)
	s := b.store(t, 3, 2)
	b.file.fail.Store(1 << 40)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			l := s.Lease()
			l.Begin(1, 1, []int32{0, 3}, []int32{1, 1})
			defer l.End()
			_, err := l.Next(context.Background(), 1)
			var where *LoadError
			if !errors.As(err, &where) || where.Layer != 1 || where.Path != "memory" || !errors.Is(err, ErrRead) {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	for s.Metrics().Used != 0 { // reads that nobody waits for any more may still end
		time.Sleep(time.Millisecond)
	}
	b.file.fail.Store(0)
	l := s.Lease()
	l.Begin(1, 1, []int32{0, 3}, []int32{1, 1})
	ids, err := l.Next(context.Background(), 1)
	require.NoError(t, err)
	require.NotEmpty(t, ids)
	l.End()
}

// TestStaleFailure: a read that somebody gave up on fails when another waits for it
// already. The other had no part in the fault and tries again.
func TestStaleFailure(t *testing.T) {
	b := newBank(1, 4, 32)
	b.file.gate = make(chan struct{})
	s := b.store(t, 2, 2)
	first, second := s.Lease(), s.Lease()
	first.Begin(0, 1, []int32{2}, []int32{1})
	gone, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := first.Next(gone, 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	var where *LoadError
	require.ErrorAs(t, err, &where)
	require.Equal(t, 2, where.Expert)
	first.End()

	second.Begin(0, 1, []int32{2}, []int32{1})
	defer second.End()
	b.file.fail.Store(1)
	close(b.file.gate)
	ids, err := second.Next(context.Background(), 1)
	require.NoError(t, err)
	require.Equal(t, []int32{2}, ids)
	require.Equal(t, b.layers[0][2].Down.Data, second.Expert(2).Down.Data)
}

// TestStoreClose: who waits is told, and what is in use stays until it is not.
func TestStoreClose(t *testing.T) {
	b := newBank(1, 4, 32)
	s := b.store(t, 2, 2)
	l, waits := s.Lease(), s.Lease()
	l.Begin(0, 1, []int32{0, 1}, []int32{1, 1})
	held := 0
	for held < 2 {
		ids, err := l.Next(context.Background(), 1)
		require.NoError(t, err)
		if held == 0 && len(ids) == 1 { // keep hold of both
			l.End()
			l.Begin(0, 1, []int32{0, 1}, []int32{1, 1})
			continue
		}
		held += len(ids)
	}
	told := make(chan error)
	go func() {
		waits.Begin(0, 1, []int32{2}, []int32{1})
		_, err := waits.Next(context.Background(), 1)
		waits.End()
		told <- err
	}()
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	require.ErrorIs(t, <-told, ErrClosed)
	require.Equal(t, b.layers[0][0].Gate.Data, l.Expert(0).Gate.Data)
	select {
	case <-closed:
		t.Fatal("closed while experts are in use")
	case <-time.After(10 * time.Millisecond):
	}
	l.End()
	require.NoError(t, <-closed)
	_, err := l.Next(context.Background(), 1)
	require.ErrorIs(t, err, ErrClosed)
}

func TestPrefetch(t *testing.T) {
	b := newBank(2, 8, 32)
	s := b.store(t, 4, 2)
	s.Prefetch(1, []int32{2, -1, 3})
	require.Eventually(t, func() bool { // an expert that is being read is not displaced
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.resident) == 2
	}, 10*time.Second, time.Millisecond)
	l := s.Lease()
	for _, id := range []int32{2, 4, 5, 6, 7} { // the others displace 3
		l.Begin(1, 1, []int32{id}, []int32{1})
		_, err := l.Next(context.Background(), 1)
		require.NoError(t, err)
		l.End()
	}
	m := s.Metrics()
	require.Equal(t, uint64(2), m.Prefetched)
	require.Equal(t, uint64(1), m.Useful)
	require.Equal(t, uint64(1), m.Wasted)
}

// TestLeasedAllocates: nothing, once buffers have grown, though experts come and go.
func TestLeasedAllocates(t *testing.T) {
	b := newBank(1, 8, 32)
	s := b.store(t, 3, 2)
	pool := par.New(2)
	defer pool.Close()
	lease, in, m, spec := s.Lease(), b.input(0, 4, 2), new(Mixture), new(Spec)
	step := func() {
		if err := m.RunLeased(context.Background(), pool, spec, in, lease, 0); err != nil {
			t.Error(err)
		}
	}
	for range 20 {
		step()
	}
	require.Zero(t, testing.AllocsPerRun(100, step))
	sum, _ := func() (ExpertMetrics, time.Duration) { x := s.Metrics(); return x.Total() }()
	require.Positive(t, sum.Misses)
}

// BenchmarkLease is what the store costs a layer whose 8 experts are in memory,
// metrics included.
func BenchmarkLease(b *testing.B) {
	k := newBank(1, 8, 32)
	s := k.store(b, 8, 2)
	l := s.Lease()
	ids, counts := []int32{0, 1, 2, 3, 4, 5, 6, 7}, []int32{1, 1, 1, 1, 1, 1, 1, 1}
	ctx := context.Background()
	for b.Loop() {
		l.Begin(0, 1, ids, counts)
		for wave, _ := l.Next(ctx, 1); len(wave) > 0; wave, _ = l.Next(ctx, 1) {
		}
		l.End()
	}
}
