package moe

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// A restored state goes on with the same bits, for every family and type of cache.
func TestSaveRestore(t *testing.T) {
	for _, path := range goldenModels(t) {
		for _, cache := range cacheTypes {
			t.Run(fmt.Sprintf("%s-%s", filepath.Base(path), cache), func(t *testing.T) {
				m := open(t, path, WithCache(cache))
				ids := somePrompt(m, 230, 9)
				s := m.NewState()
				var empty bytes.Buffer
				require.NoError(t, s.Save(&empty))
				_, err := m.Forward(t.Context(), s, ids[:200])
				require.NoError(t, err)
				require.NoError(t, s.Truncate(200))
				var file bytes.Buffer
				require.NoError(t, s.Save(&file))
				want, err := m.Forward(t.Context(), s, ids[200:])
				require.NoError(t, err)

				again := open(t, path, WithCache(cache), WithThreads(1)) // another process, so to say
				rest := append(bytes.Clone(file.Bytes()), "what follows"...)
				r := bytes.NewReader(rest)
				got, err := again.Restore(iotest.OneByteReader(r))
				require.NoError(t, err)
				require.Equal(t, len("what follows"), r.Len())
				require.Equal(t, ids[:200], got.Tokens())
				var twice bytes.Buffer
				require.NoError(t, got.Save(&twice))
				require.True(t, bytes.Equal(file.Bytes(), twice.Bytes()))
				logits, err := again.Forward(t.Context(), got, ids[200:])
				require.NoError(t, err)
				sameBits(t, "restored", logits, want)

				got, err = again.Restore(&empty)
				require.NoError(t, err)
				require.Zero(t, got.Len())
				_, err = again.Forward(t.Context(), got, ids[:3])
				require.NoError(t, err)
			})
		}
	}
}

func savedState(t testing.TB, m *Model, n int) []byte {
	s := m.NewState()
	_, err := m.Forward(t.Context(), s, somePrompt(m, n, 1))
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, s.Save(&b))
	return b.Bytes()
}

// What is wrong, old, damaged or cut off is an error.
func TestRestoreErrors(t *testing.T) {
	m := open(t, "testdata/golden/gpt-oss-mxfp4")
	file := savedState(t, m, 70)
	for n := range len(file) {
		if n > 600 && n%97 != 0 && n < len(file)-40 {
			continue
		}
		_, err := m.Restore(bytes.NewReader(file[:n]))
		require.ErrorIs(t, err, ErrSaved, "%d bytes", n)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d bytes", n)
		bad := bytes.Clone(file)
		bad[n] ^= 0x10
		_, err = m.Restore(bytes.NewReader(bad))
		require.ErrorIs(t, err, ErrSaved, "byte %d", n)
	}
	for _, other := range []*Model{
		open(t, "testdata/golden/llama"), open(t, "testdata/golden/gpt-oss-mxfp4", WithCache(CacheF32)),
		open(t, "testdata/golden/gpt-oss-mxfp4", WithFloatActivations()), open(t, "testdata/golden/gpt-oss-mxfp4", WithTopK(1)),
	} {
		_, err := other.Restore(bytes.NewReader(file))
		require.ErrorIs(t, err, ErrSaved)
	}
	broken := errors.New("broken")
	_, err := m.Restore(io.MultiReader(bytes.NewReader(file[:300]), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	s := m.NewState()
	require.ErrorIs(t, s.Save(badWriter{broken}), broken)
	m.Close()
	_, err = m.Restore(bytes.NewReader(file[:20]))
	require.Error(t, err)
}

type badWriter struct{ err error }

func (f badWriter) Write([]byte) (int, error) { return 0, f.err }

// Files that are forged, checksum and all, are errors or states that can be used.
func FuzzRestore(f *testing.F) {
	var models []*Model
	for _, name := range []string{"gpt-oss-mxfp4", "deepseek-v2-lite", "qwen3-next"} {
		m, err := Open("testdata/golden/" + name)
		if err != nil {
			f.Fatal(err)
		}
		defer m.Close()
		for _, n := range []int{1, 90} {
			f.Add(uint8(len(models)), savedState(f, m, n))
		}
		models = append(models, m)
	}
	f.Fuzz(func(t *testing.T, which uint8, file []byte) {
		m := models[int(which)%len(models)]
		print, err := m.fingerprint()
		require.NoError(t, err)
		if len(file) > 12+32 { // past what chance will not find
			copy(file[12:], print[:])
		}
		if n := len(file) - 32; n > 0 {
			sum := sha256.Sum256(file[:n])
			copy(file[n:], sum[:])
		}
		s, err := m.Restore(bytes.NewReader(file))
		if err != nil {
			require.ErrorIs(t, err, ErrSaved)
			return
		}
		if s.Len() == m.cfg.Context {
			return
		}
		if _, err := m.Forward(t.Context(), s, []int32{0}); err != nil {
			require.ErrorIs(t, err, ErrNumber)
		}
	})
}
