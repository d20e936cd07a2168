package moe

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
)

const recurrentModel = "testdata/golden/qwen3-next"

func recurrentTest(t *testing.T) (*Model, []int32) {
	m, err := Open(recurrentModel, WithThreads(2), WithChunk(8))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m, readWant(t, recurrentModel+"/golden.safetensors").ids
}

// forward runs s and returns a copy of the logits.
func forward(t *testing.T, s *State, ids []int32) []float32 {
	t.Helper()
	logits, err := s.m.Forward(context.Background(), s, ids)
	if err != nil {
		t.Fatal(err)
	}
	return append([]float32(nil), logits...)
}

// TestRecurrentFork: two ways to go on from one state do not touch each other.
func TestRecurrentFork(t *testing.T) {
	m, ids := recurrentTest(t)
	s := m.NewState()
	forward(t, s, ids[:13])
	f, err := s.Fork()
	if err != nil {
		t.Fatal(err)
	}
	one, other := forward(t, s, ids[13:20]), forward(t, f, ids[20:30])
	one = append(one, forward(t, s, ids[20:21])...)
	other = append(other, forward(t, f, ids[30:31])...)

	fresh := m.NewState()
	want := forward(t, fresh, ids[:20])
	sameBits(t, "the first", one, append(want, forward(t, fresh, ids[20:21])...))
	fresh = m.NewState()
	want = forward(t, fresh, append(append([]int32{}, ids[:13]...), ids[20:30]...))
	sameBits(t, "the fork", other, append(want, forward(t, fresh, ids[30:31])...))
}

// TestRecurrentTruncate: back to nothing, to checkpoints and to where it is; to
// anything else is an error that changes nothing.
func TestRecurrentTruncate(t *testing.T) {
	m, ids := recurrentTest(t)
	s := m.NewState()
	forward(t, s, ids[:10])
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	forward(t, s, ids[10:18])
	if err := s.Truncate(9); !errors.Is(err, ErrState) {
		t.Fatalf("to where nothing was kept: %v", err)
	}
	if err := s.Truncate(18); err != nil || s.Len() != 18 {
		t.Fatalf("to the present: %v, %d tokens", err, s.Len())
	}
	whole := forward(t, m.NewState(), ids[:19])
	sameBits(t, "after the error", forward(t, s, ids[18:19]), whole)

	if c := s.Checkpoints(); len(c) != 1 || c[0] != 10 {
		t.Errorf("checkpoints %v", c)
	}
	for range 2 { // a checkpoint can be used again
		if err := s.Truncate(10); err != nil || s.Len() != 10 {
			t.Fatalf("to the checkpoint: %v, %d tokens", err, s.Len())
		}
		sameBits(t, "from the checkpoint", forward(t, s, ids[10:19]), whole)
	}
	if err := s.Truncate(0); err != nil || len(s.Checkpoints()) != 0 {
		t.Fatalf("to nothing: %v, checkpoints %v", err, s.Checkpoints())
	}
	sameBits(t, "from nothing", forward(t, s, ids[:19]), whole)

	// A fork has the checkpoints of its origin.
	s = m.NewState()
	forward(t, s, ids[:10])
	s.Checkpoint()
	forward(t, s, ids[10:15])
	f, err := s.Fork()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(10); err != nil {
		t.Fatal(err)
	}
	sameBits(t, "a fork from the checkpoint", forward(t, f, ids[10:19]), whole)
}

// failing is a context that is cancelled after it has been looked at n times.
type failing struct {
	context.Context
	n *int
}

func (c failing) Err() error {
	if *c.n--; *c.n < 0 {
		return context.Canceled
	}
	return nil
}

// TestRecurrentFailure: a call that fails in some layer leaves no trace of the
// chunk it was in.
func TestRecurrentFailure(t *testing.T) {
	m, ids := recurrentTest(t)
	want := forward(t, m.NewState(), ids[:20])
	for at := range 12 {
		s := m.NewState()
		forward(t, s, ids[:3])
		n := at
		_, err := m.Forward(failing{context.Background(), &n}, s, ids[3:20])
		if err == nil {
			continue // it was done before
		}
		if done := s.Len(); done != 3 && done != 11 && done != 19 {
			t.Fatalf("%d tokens after the failure", done)
		}
		sameBits(t, "after a failure", forward(t, s, ids[s.Len():20]), want)
	}
}

// TestRecurrentBinary: what is written can be read, and nothing else.
func TestRecurrentBinary(t *testing.T) {
	m, ids := recurrentTest(t)
	s := m.NewState()
	forward(t, s, ids[:11])
	size := m.cfg.recurrentSize()
	if size == 0 || s.rec.bytes() != 8*int64(size) {
		t.Errorf("%d bytes for two blocks of %d numbers", s.rec.bytes(), size)
	}
	data := append(appendNumbers([]byte("before"), s.rec.now), "after"...)[len("before"):]
	x, rest, err := decodeNumbers(data, size)
	if err != nil || string(rest) != "after" {
		t.Fatalf("%v, rest %q", err, rest)
	}
	sameBits(t, "decoded", x, s.rec.now)
	for n := range data[:16] {
		if _, _, err := decodeNumbers(data[:n], size); !errors.Is(err, ErrState) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, _, err := decodeNumbers(data, size+1); !errors.Is(err, ErrState) {
		t.Errorf("of another model: %v", err)
	}
	if x, rest, err := decodeNumbers(appendNumbers(nil, nil), size); err != nil || len(rest) != 0 || x != nil {
		t.Errorf("of no tokens: %v, %d bytes left", err, len(rest))
	}
}

// TestRecurrentSave: a restored state, and what was saved of that, go back to the
// checkpoints, the one at their end included, and on with the same bits; checkpoints
// that cannot be are errors.
func TestRecurrentSave(t *testing.T) {
	m, ids := recurrentTest(t)
	whole := forward(t, m.NewState(), ids[:25])
	s := m.NewState()
	for _, n := range []int{4, 10, 17} {
		forward(t, s, ids[s.Len():n])
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		var file bytes.Buffer
		if err := s.Save(&file); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{17, 10, 4} {
			restored, err := m.Restore(bytes.NewReader(file.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			if c := restored.Checkpoints(); !slices.Equal(c, []int{4, 10, 17}) {
				t.Fatalf("checkpoints %v", c)
			}
			if err := restored.Truncate(5); !errors.Is(err, ErrState) {
				t.Errorf("to where there is none: %v", err)
			}
			forward(t, restored, ids[25:28]) // elsewhere, and back
			if err := restored.Truncate(n); err != nil || restored.Len() != n {
				t.Fatalf("to %d: %v, %d tokens", n, err, restored.Len())
			}
			sameBits(t, "from the checkpoint", forward(t, restored, ids[n:25]), whole)
		}
		var err error
		if s, err = m.Restore(&file); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range [][]int{{10, 4}, {4, 4}, {0}, {18}} {
		s.rec.kept = nil
		for _, n := range at {
			s.rec.kept = append(s.rec.kept, kept{n, s.rec.now})
		}
		var file bytes.Buffer
		if err := s.Save(&file); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Restore(&file); !errors.Is(err, ErrSaved) {
			t.Errorf("checkpoints at %v: %v", at, err)
		}
	}
}
