package mmap

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArena(t *testing.T) {
	var a Arena
	defer a.Free()
	x, y := a.Floats(1000), a.Floats(1<<20)
	require.Len(t, x, 1000)
	require.Equal(t, int64(4000+4<<20), a.Bytes())
	for i := range y {
		require.Zero(t, y[i])
		y[i] = 1
	}
	a.Drop(x)
	a.Drop(x)                  // it is no longer the arena's
	a.Drop(make([]float32, 3)) // and this never was
	a.Drop(nil)
	require.Equal(t, int64(4<<20), a.Bytes())
	require.Empty(t, a.Floats(0))

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a.Floats(16 << 20)
	runtime.ReadMemStats(&after)
	require.Less(t, after.HeapAlloc, before.HeapAlloc+1<<20, "not on the heap")
	a.Free()
	require.Zero(t, a.Bytes())

	var none *Arena
	require.Len(t, none.Floats(5), 5)
	none.Drop(nil)
}
