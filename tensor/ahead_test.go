package tensor

import (
	"testing"

	"github.com/coterie-go/coterie/internal/par"
	"github.com/coterie-go/coterie/kernels"
	"github.com/stretchr/testify/require"
)

// TestAheadIsWhatWorkersBeginWith: each worker asks for the rows that its share of
// the next loop begins with.
func TestAheadIsWhatWorkersBeginWith(t *testing.T) {
	matrix := func(rows int) *Linear {
		return &Linear{Weights: kernels.Weights{Format: kernels.F32, Rows: rows, K: 16, Stride: 64, Data: make([]byte, 64*rows)}}
	}
	q, k := matrix(1024), matrix(256)
	for _, workers := range []int{1, 2, 3, 16} {
		a := Ahead{Workers: workers}
		a.Add(q, nil, k)
		var p Products
		x := NewActs(1, 16)
		p.Add(q, &x.Acts, make([]float32, 1024), 1024)
		p.Add(k, &x.Acts, make([]float32, 256), 256)
		pool := par.New(workers)
		p.Run(pool, 1) // lays out the tasks
		pool.Close()
		tasks := p.list[1].first + (256+p.list[1].rows-1)/p.list[1].rows
		for w := range workers {
			i, of := w*tasks/workers, &p.list[0]
			if i >= p.list[1].first {
				of = &p.list[1]
			}
			want := of.Linear.From((i - of.first) * of.rows)
			found := a.Ahead(nil, w)
			require.NotEmpty(t, found)
			require.Same(t, &want[0], &found[0][0], "worker %d of %d", w, workers)
			total := 0
			for _, b := range found {
				total += len(b)
			}
			require.LessOrEqual(t, total, aheadLoopBytes)
		}
	}

	maps := []Linear{*matrix(4), *matrix(4), *matrix(4), *matrix(4)}
	a := Ahead{Workers: 2}
	a.AddEach(maps)
	a.Add(q)
	require.Same(t, &maps[2].Data[0], &a.Ahead(nil, 1)[0][0], "half of the maps are the first worker's")
	require.Len(t, a.Ahead(nil, 0), 5, "all maps from its first on, and the next loop")
	big := matrix(3 * par.AheadBytes / 64)
	a.Reset()
	a.Add(big)
	a.Add(big)
	found := a.Ahead(nil, 0)
	require.Equal(t, []int{aheadLoopBytes, par.AheadBytes - aheadLoopBytes}, []int{len(found[0]), len(found[1])})
	transposed := matrix(64)
	transposed.Transposed = true
	a.Reset()
	a.Add(transposed)
	require.Empty(t, a.Ahead(nil, 0)[0], "rows that are not outputs are not asked for")
}
