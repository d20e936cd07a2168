package moe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/coterie-go/coterie/expert"
	"github.com/coterie-go/coterie/internal/mmap"
	"github.com/coterie-go/coterie/tensor"
	"github.com/stretchr/testify/require"
)

// TestWithoutMapping: the same bits, from memory of the model's own alone.
func TestWithoutMapping(t *testing.T) {
	ids := tokensOf(20)
	for _, path := range checkpoints(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m, err := Open(path, WithoutMapping())
			if errors.Is(err, ErrFamily) {
				t.Skip(err)
			}
			require.NoError(t, err)
			defer m.Close()
			require.Nil(t, m.asks, "nothing to ask for")
			n := 0
			look := func(l *tensor.Linear) {
				_, _, mapped := m.locate(l.Data)
				require.False(t, mapped, l.Name)
				n++
			}
			eachLinear(reflect.ValueOf(m.w).Elem(), look)
			for i := range m.w.layers {
				l := &m.w.layers[i]
				eachLinear(reflect.ValueOf(l).Elem(), look)
				for e := range l.experts {
					look(&l.experts[e].Gate)
					look(&l.experts[e].Up)
					look(&l.experts[e].Down)
				}
			}
			require.Greater(t, n, 4*len(m.w.layers))
			sameBits(t, "held", logitsOf(t, path, ids, WithoutMapping()), logitsOf(t, path, ids))
		})
	}
	least := leastBudget(t, smallModel)
	want := logitsOf(t, smallModel, ids)
	sameBits(t, "beside a budget", logitsOf(t, smallModel, ids, WithoutMapping(), WithExpertBudget(least)), want)
}

// TestWithoutMappingOfLostFile: once a model is open, Forward needs its file no more, and
// what does says so.
func TestWithoutMappingOfLostFile(t *testing.T) {
	data, err := os.ReadFile(smallModel)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, os.WriteFile(path, data, 0o644))
	m, err := Open(path, WithoutMapping())
	require.NoError(t, err)
	defer m.Close()
	want, err := m.Forward(context.Background(), m.NewState(), tokensOf(5))
	require.NoError(t, err)
	want = slices.Clone(want)
	require.NoError(t, os.Truncate(path, 100))
	s := m.NewState()
	got, err := m.Forward(context.Background(), s, tokensOf(5))
	require.NoError(t, err)
	sameBits(t, "after the file was cut off", got, want)
	require.ErrorIs(t, s.Save(io.Discard), ErrFile)
}

// TestHoldFaults: a file that ends early or changes is an error, and the memory is
// given back.
func TestHoldFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ten bytes")
	require.NoError(t, os.WriteFile(path, []byte("0123456789"), 0o644))
	f, err := mmap.Open(path)
	require.NoError(t, err)
	defer f.Close()
	dst := make([]byte, 10)
	require.NoError(t, readPieces([]holdPiece{{source{f}, 0, dst[:6]}, {source{f}, 6, dst[6:]}}))
	require.True(t, bytes.Equal(dst, []byte("0123456789")))
	err = readPieces([]holdPiece{{source{f}, 4, dst}})
	require.ErrorIs(t, err, ErrFile)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorContains(t, err, path+": want 10 bytes at 4, found 6")

	data, err := os.ReadFile(smallModel)
	require.NoError(t, err)
	path = filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, os.WriteFile(path, data, 0o644))
	m, err := Open(path)
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, os.Remove(path))
	_, err = m.hold(true)
	require.ErrorIs(t, err, ErrFile)
	require.ErrorIs(t, err, expert.ErrChanged)
}
