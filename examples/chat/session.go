package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/moe/chat"
)

// session is what a file keeps. The state beside it only saves time: it is the
// messages that count, and a state that does not fit them or the model is left.
type session struct {
	Model    string
	System   string
	Messages []chat.Message
}

func (t *talk) load() error {
	b, err := os.ReadFile(t.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var s session
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%s: not a session: %w", t.file, err)
	}
	t.system, t.messages = s.System, s.Messages
	return t.restore()
}

func (t *talk) save() error {
	b, err := json.MarshalIndent(session{t.m.Config().Family, t.system, t.messages}, "", "  ")
	if err != nil {
		return err
	}
	err = cli.WriteFile(t.file, func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
	if err != nil {
		return err
	}
	return cli.WriteFile(t.file+".state", func(w io.Writer) error { return t.state.Save(w) })
}

// restore takes up the state beside the session, if it is this model's.
func (t *talk) restore() error {
	f, err := os.Open(t.file + ".state")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if s, err := t.m.Restore(f); err == nil {
		t.state = s
	}
	return nil
}
