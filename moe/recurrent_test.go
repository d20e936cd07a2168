package moe

import (
	"context"
	"errors"
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
	data := append(s.rec.appendBinary([]byte("before")), "after"...)[len("before"):]
	var r recurrent
	rest, err := r.decode(data, size)
	if err != nil || string(rest) != "after" {
		t.Fatalf("%v, rest %q", err, rest)
	}
	sameBits(t, "decoded", r.now, s.rec.now)
	for n := range data[:16] {
		if _, err := new(recurrent).decode(data[:n], size); !errors.Is(err, ErrState) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := new(recurrent).decode(data, size+1); !errors.Is(err, ErrState) {
		t.Errorf("of another model: %v", err)
	}
	var empty recurrent
	if rest, err := r.decode(empty.appendBinary(nil), size); err != nil || len(rest) != 0 || r.now != nil {
		t.Errorf("of no tokens: %v, %d bytes left", err, len(rest))
	}
}
