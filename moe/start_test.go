package moe

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coterie-go/coterie/internal/mmap"
	"github.com/coterie-go/coterie/internal/synth"
)

// TestStartReadsWhatIsNeeded opens a file that is not in memory and sends one token
// through the model: what is in memory then is what the token needs, to the page, and
// after Open alone next to nothing.
func TestStartReadsWhatIsNeeded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	out, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, synth.Write(t.Context(), out, "olmoe-1b-7b", "q4_k_m", 4, nil, synth.Small()))
	require.NoError(t, out.Sync()) // what is not on disk cannot be dropped
	require.NoError(t, out.Close())
	f, err := mmap.Open(path)
	require.NoError(t, err)
	defer f.Close()
	inMemory := func() int64 {
		n, err := f.Resident(0, f.Size())
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("a system that does not tell what is in memory")
		}
		require.NoError(t, err)
		return n
	}
	require.NoError(t, f.Advise(0, f.Size(), mmap.DontNeed))
	if inMemory() > 0 {
		t.Skip("a file system that keeps its cache")
	}

	m, err := Open(path, WithCheck(false), WithThreads(2)) // a check reads all of a file as small as this
	require.NoError(t, err)
	defer m.Close()
	opened := inMemory()
	need := m.Footprint()
	require.Less(t, 4*need.PerToken, f.Size(), "nothing to be told apart")
	require.LessOrEqual(t, opened, int64(512<<10), "after Open, of %d bytes", f.Size())

	_, err = m.Forward(t.Context(), m.NewState(), []int32{7})
	require.NoError(t, err)
	after := inMemory()
	require.GreaterOrEqual(t, after, need.PerToken)
	// Pages at both ends of 24 matrices a layer, and what Open has read.
	require.LessOrEqual(t, after, need.PerToken+need.PerToken/8+opened, "after a token, of %d bytes", f.Size())
}
