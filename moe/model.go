package moe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/internal/par"
	"github.com/coterie-go/coterie/internal/safetensors"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/moe/tokenizer"
	"github.com/coterie-go/coterie/quant"
)

// Model is an open checkpoint. It may be used by many goroutines at once.
type Model struct {
	ckpt  *checkpoint
	cfg   Config
	w     *weights
	opts  options
	cache cacheLayout
	freq  []float32 // rotary frequencies
	pool  *par.Pool

	outputForms forms

	held     []byte  // weights in memory of the model's own, see hold
	budget   *budget // nil without one
	asks     *asks   // nil with one, and for weights in memory
	stopping atomic.Bool

	mu      sync.Mutex // guards what follows
	running sync.WaitGroup
	closed  bool
	idle    []*runner

	tokOnce sync.Once
	tok     *tokenizer.Tokenizer
	tokErr  error

	endOnce sync.Once
	ends    map[int32]bool // see endTokens

	printOnce sync.Once
	print     [32]byte // see fingerprint
	printErr  error
}

// Open opens a checkpoint: a GGUF file (the first of a split one), or a directory
// in the hub's layout (config.json, safetensors, tokenizer.json). Files are
// mapped; weights are used where they lie, and read when a token first needs them (or
// all at once, to be checked, see WithCheck, or held, see WithoutMapping). Close the model when done.
func Open(path string, opts ...Option) (*Model, error) {
	if _, err := kernels.ISA(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOption, err)
	}
	c, err := openCheckpoint(path)
	if err != nil {
		return nil, err
	}
	return newModel(c, opts)
}

// OpenBytes opens a GGUF file that lies in memory, an embedded one for instance. The
// model refers to data, which must not change.
func OpenBytes(data []byte, opts ...Option) (*Model, error) {
	if _, err := kernels.ISA(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOption, err)
	}
	f, err := gguf.FromBytes(data, quant.SizeOf)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	c, err := newGGUF("GGUF in memory", f)
	if err != nil {
		return nil, err
	}
	return newModel(c, opts)
}

// OpenFiles opens a checkpoint in the hub's layout that lies in memory: the
// contents of config.json and model.safetensors, and of tokenizer.json and the
// other small files if there are any. The model refers to them; they must not
// change.
func OpenFiles(files map[string][]byte, opts ...Option) (*Model, error) {
	if _, err := kernels.ISA(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOption, err)
	}
	read := func(name string) ([]byte, error) {
		if data, ok := files[name]; ok {
			return data, nil
		}
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	c, err := newHub("files in memory", read, func() (*safetensors.File, error) {
		data, err := read("model.safetensors")
		if err != nil {
			return nil, err
		}
		return safetensors.FromBytes(data)
	})
	if err != nil {
		return nil, err
	}
	return newModel(c, opts)
}

func newModel(c *checkpoint, opts []Option) (_ *Model, err error) {
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	m := &Model{ckpt: c, opts: defaults()}
	for _, o := range opts {
		err = errors.Join(err, o(&m.opts))
	}
	if err != nil {
		return nil, err
	}
	if m.opts.topK > 0 && c.config.Routed() > 0 {
		c.config.Router.TopK = m.opts.topK
	}
	c.config.Router.MinGate = m.opts.minGate
	if err = c.config.Validate(); err != nil {
		return nil, err
	}
	if m.w, err = c.bind(); err != nil {
		return nil, err
	}
	m.cfg = c.config
	m.outputForms.Need(m.w.output)
	m.cache = newCacheLayout(&m.cfg, m.opts.cache)
	m.freq = m.cfg.RoPE.frequencies()
	m.pool = par.New(m.opts.threads)
	if err = m.checkWeights(); err != nil {
		m.pool.Close()
		return nil, err
	}
	if err = m.limit(); err != nil {
		m.pool.Close()
		return nil, err
	}
	if m.budget == nil && m.opts.hold {
		if m.held, err = m.hold(true); err != nil {
			m.pool.Close()
			return nil, err
		}
	}
	if m.budget == nil && m.held == nil && len(c.shards) > 0 {
		m.asks = newAsks(c.shards, m.w)
	}
	return m, nil
}

// Close makes running calls return ErrClosed at their next layer, waits for them,
// and releases the files, the memory and the threads. Later calls return ErrClosed.
func (m *Model) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	m.mu.Unlock()
	err := m.stop()
	m.running.Wait()
	m.pool.Close()
	m.idle = nil
	return errors.Join(err, m.free(), m.ckpt.close())
}

// Config returns what the model is like. The caller must not change its slices.
func (m *Model) Config() Config { return m.cfg }

// Threads returns the number of worker threads.
func (m *Model) Threads() int { return m.pool.Workers() }

// ChatTemplate returns the checkpoint's chat template, "" if it has none.
func (m *Model) ChatTemplate() string { return m.ckpt.template }

// Tokenizer returns the checkpoint's tokenizer.
func (m *Model) Tokenizer() (*tokenizer.Tokenizer, error) {
	m.tokOnce.Do(func() { m.tok, m.tokErr = m.ckpt.tokenizer() })
	return m.tok, m.tokErr
}

// acquire returns a runner for a call; release gives it back.
func (m *Model) acquire(ctx context.Context, steps []Step) (*runner, error) {
	own, err := m.budget.enter(ctx, steps)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		own.leave()
		return nil, ErrClosed
	}
	m.running.Add(1)
	if own != nil {
		return own, nil
	}
	if n := len(m.idle); n > 0 {
		r := m.idle[n-1]
		m.idle = m.idle[:n-1]
		return r, nil
	}
	return newRunner(m), nil
}

func (m *Model) release(r *runner) {
	defer m.running.Done()
	if r.leave() {
		return
	}
	m.mu.Lock()
	m.idle = append(m.idle, r)
	m.mu.Unlock()
}
