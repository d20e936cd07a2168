package moe

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/coterie-go/coterie/internal/mmap"
)

// samples is how many pieces of weights, of sampleBytes each, a fingerprint reads at
// most: 64 MB of a file's pages.
const samples, sampleBytes = 1 << 14, 4096

// fingerprint tells models apart whose states do not fit each other. It is the
// SHA-256 of the configuration, of the options that change numbers, of the name,
// type and shape of every tensor, and of a sample of the weights: up to 16 pieces of
// each tensor (the first and the last one, the others evenly between them), fewer if
// there are very many tensors. Hashing all of a large model would take minutes;
// whatever trains or quantises a model changes nearly all weights of the tensors it
// touches. It is computed once.
func (m *Model) fingerprint() ([32]byte, error) {
	m.printOnce.Do(func() {
		m.mu.Lock()
		closed := m.closed
		if !closed {
			m.running.Add(1)
		}
		m.mu.Unlock()
		if closed {
			m.printErr = ErrClosed
			return
		}
		defer m.running.Done()
		m.printErr = mmap.Guard(func() (err error) {
			m.print, err = m.hashWeights()
			return err
		})
		if m.printErr != nil {
			m.printErr = fmt.Errorf("%w: fingerprint: %w", ErrFile, m.printErr)
		}
	})
	return m.print, m.printErr
}

func (m *Model) hashWeights() (print [32]byte, err error) {
	h := sha256.New()
	e := json.NewEncoder(h)
	if err := e.Encode(m.cfg); err != nil {
		return print, err
	}
	if err := e.Encode([]any{m.opts.exact}); err != nil {
		return print, err
	}
	names := slices.Sorted(slices.Values(m.ckpt.names))
	step := (len(names) + samples - 1) / samples // tensors from one sampled to the next
	pieces := min(max(samples/max(len(names), 1), 1), 16)
	for i, name := range names {
		v, ok, _ := m.ckpt.find(name)
		if !ok {
			continue
		}
		if err := e.Encode([]any{name, v.typ, v.shape, len(v.data)}); err != nil {
			return print, err
		}
		if i%step != 0 {
			continue
		}
		last := max(len(v.data)-sampleBytes, 0)
		for k := range pieces {
			at := 0
			if pieces > 1 {
				at = int(int64(last) * int64(k) / int64(pieces-1))
			}
			h.Write(v.data[at:min(at+sampleBytes, len(v.data))])
			if last == 0 {
				break
			}
		}
	}
	h.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(names))))
	return [32]byte(h.Sum(nil)), nil
}
