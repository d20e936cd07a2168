package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

func tale(t *testing.T) *moe.Model {
	m, err := moetest.Tale(moe.WithThreads(2))
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

func plain() config {
	return config{sampling: moe.Sampling{Temperature: .7, TopP: .95, Seed: 3, MaxTokens: 24, Special: true}}
}

// say feeds lines to a talk and returns what it wrote.
func say(t *testing.T, k *talk, lines ...string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, k.loop(t.Context(), strings.NewReader(strings.Join(lines, "\n")+"\n"), &out, nil))
	return out.String()
}

func TestTalk(t *testing.T) {
	m := tale(t)
	k, err := newTalk(m, plain())
	require.NoError(t, err)
	out := say(t, k, "Once upon a time", "", "And then\\", "the wolf")
	require.Len(t, k.messages, 4)
	require.Equal(t, "And then\nthe wolf", k.messages[2].Content)
	require.Equal(t, k.messages[1].Content+"\n"+k.messages[3].Content+"\n", out)
	require.NotContains(t, out, "\x1b")

	// The state that was kept makes no difference to the answer.
	fresh, err := newTalk(m, plain())
	require.NoError(t, err)
	fresh.messages = k.messages[:2:2]
	require.Equal(t, k.messages[3].Content+"\n", say(t, fresh, "And then\\", "the wolf"))
	require.Greater(t, k.state.Len(), 40)

	out = say(t, k, "/undo", "/undo", "/nonsense", "/help", "/undo")
	require.Empty(t, k.messages)
	require.Contains(t, out, "no instruction /nonsense")
	first := say(t, k, "Once upon a time")
	again := say(t, k, "/again")
	require.NotEqual(t, first, again)
	require.Len(t, k.messages, 2)
	say(t, k, "/system You are a wolf.", "/again")
	require.Len(t, k.messages, 1)
	require.Equal(t, "system", k.messages[0].Role)
	say(t, k, "Once", "/reset")
	require.Len(t, k.messages, 1)
	out = say(t, k, strings.Repeat("once upon a time ", 200))
	require.Contains(t, out, "longer than the model's context")
	require.Len(t, k.messages, 1)
}

// A conversation goes on after the program has ended as if it had not.
func TestSession(t *testing.T) {
	m := tale(t)
	c := plain()
	c.file = filepath.Join(t.TempDir(), "talk")
	k, err := newTalk(m, c)
	require.NoError(t, err)
	say(t, k, "Once upon a time")
	want := say(t, k, "And then")

	c.file = filepath.Join(t.TempDir(), "talk")
	k, err = newTalk(m, c)
	require.NoError(t, err)
	say(t, k, "Once upon a time")
	n := k.state.Len()
	k, err = newTalk(m, c)
	require.NoError(t, err)
	require.Equal(t, n, k.state.Len(), "the state was restored")
	require.Equal(t, want, say(t, k, "And then"))

	// A damaged state costs time only; a damaged session is an error.
	require.NoError(t, os.WriteFile(c.file+".state", []byte("damaged"), 0o644))
	k, err = newTalk(m, c)
	require.NoError(t, err)
	require.Zero(t, k.state.Len())
	say(t, k, "/undo")
	require.Equal(t, want, say(t, k, "And then"))
	require.NoError(t, os.WriteFile(c.file, []byte("{"), 0o644))
	_, err = newTalk(m, c)
	require.ErrorContains(t, err, "not a session")
}

// An interrupt ends an answer, not the talk; what was said stays.
func TestInterrupt(t *testing.T) {
	m := tale(t)
	c := plain()
	c.sampling.MaxTokens, c.sampling.IgnoreEnd = 0, true
	k, err := newTalk(m, c)
	require.NoError(t, err)
	in, feed := io.Pipe()
	interrupts := make(chan os.Signal, 1)
	out := &trigger{after: 20, f: func() { interrupts <- os.Interrupt }}
	done := make(chan error, 1)
	go func() { done <- k.loop(context.Background(), in, out, interrupts) }()
	io.WriteString(feed, "Once upon a time\n")
	require.Eventually(t, func() bool { return out.ended.Load() }, 10*time.Second, time.Millisecond)
	interrupts <- os.Interrupt // at the prompt
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("still talking")
	}
	require.Len(t, k.messages, 2)
	require.Less(t, k.state.Len(), m.Config().Context-1)
	require.NotEmpty(t, k.messages[1].Content)
}

func TestFailure(t *testing.T) {
	m := tale(t)
	k, err := newTalk(m, plain())
	require.NoError(t, err)
	broken := errors.New("broken")
	require.ErrorIs(t, k.loop(t.Context(), io.MultiReader(strings.NewReader("Hello\n"), &failing{broken}), io.Discard, nil), broken)
	c := plain()
	c.template = filepath.Join(t.TempDir(), "none")
	_, err = newTalk(m, c)
	require.ErrorIs(t, err, os.ErrNotExist)
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// trigger calls f after so many writes, and notes the end of a line.
type trigger struct {
	after int
	f     func()
	ended atomic.Bool
}

func (w *trigger) Write(p []byte) (int, error) {
	if w.after--; w.after == 0 {
		w.f()
	}
	if w.after < 0 && string(p) == "\n" {
		w.ended.Store(true)
	}
	return len(p), nil
}
