package expert

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/coterie-go/coterie/internal/par"
	"github.com/stretchr/testify/require"
)

// halfCached is a source of which the system has some stretches in memory: all of
// it, nothing, or 1,000 bytes of every 3,000.
type halfCached struct {
	*memory
	part   float64
	copied atomic.Int64
}

func (h *halfCached) ReadCached(p []byte, off int64) int {
	n := int(h.part * float64(len(p)))
	if h.part > 0 && h.part < 1 && off/3000%3 == 0 {
		n = len(p)
	}
	if n > 0 {
		n, _ = h.Reader.ReadAt(p[:n], off)
	}
	h.copied.Add(int64(n))
	return n
}

// TestCopyCached: what the system has is copied by the workers, what it has not
// comes by way of readers, and the results are those of Run.
func TestCopyCached(t *testing.T) {
	b := newBank(3, 8, 64)
	for _, part := range []float64{0, 0.4, 1} {
		for _, workers := range []int{1, 3} {
			pool := par.New(workers)
			defer pool.Close()
			f := &halfCached{memory: b.file, part: part}
			s, err := NewStore(StoreConfig{Budget: 5 << 16, Active: 2, Files: []Source{f}, Layers: b.stored(t)})
			require.NoError(t, err)
			defer s.Close()
			lease := s.Lease()
			var one, some Mixture
			before := b.file.reads.Load()
			for range 3 {
				for layer := range b.layers {
					in := b.input(layer, 9, 2)
					one.Run(pool, new(Spec), in)
					want := append([]float32(nil), in.Dst...)
					clear(in.Dst)
					require.NoError(t, some.RunLeased(context.Background(), pool, new(Spec), in, lease, layer))
					sameBits(t, want, in.Dst, fmt.Sprintf("%v cached, %d workers, layer %d", part, workers, layer))
				}
			}
			m := s.Metrics()
			sum, _ := m.Total()
			require.Positive(t, sum.Misses)
			switch reads := b.file.reads.Load() - before; part {
			case 0:
				require.Positive(t, reads)
				require.Zero(t, f.copied.Load())
			case 1:
				require.Zero(t, reads, "of what is in memory nothing is left to readers")
				require.Equal(t, int64(sum.Bytes), f.copied.Load())
				for l := range m.Layers {
					require.Positive(t, m.Layers[l].Stalled, "time for copying counts as waiting")
				}
			default:
				require.Positive(t, reads)
				require.Positive(t, f.copied.Load())
			}
		}
	}
}

// TestCopyCancelled: what workers leave out because their caller gave up is read all
// the same, for whoever asks next.
func TestCopyCancelled(t *testing.T) {
	b := newBank(1, 8, 32)
	f := &halfCached{memory: b.file, part: 1}
	page := int64(os.Getpagesize())
	size := (b.stored(t)[0][0].Size() + page - 1) / page * page
	s, err := NewStore(StoreConfig{Budget: 4 * size, Active: 2, Files: []Source{f}, Layers: b.stored(t)})
	require.NoError(t, err)
	defer s.Close()
	pool := par.New(2)
	defer pool.Close()
	view := pool.View()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	view.Bind(gone)
	in, m, lease := b.input(0, 3, 2), new(Mixture), s.Lease()
	require.ErrorIs(t, m.RunLeased(gone, view, new(Spec), in, lease, 0), context.Canceled)
	view.Bind(nil) //lint:ignore SA1012 nil is how a view is unbound
	require.NoError(t, m.RunLeased(context.Background(), view, new(Spec), in, lease, 0))
}
