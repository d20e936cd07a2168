package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/internal/mmap"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/quant"
)

// startResult is one line of -start -json, for one length of prompt. Times are
// medians over the repeats, each with its spread, (max-min)/median.
type startResult struct {
	Model   string `json:"model"`
	Threads int    `json:"threads"`
	Prompt  int    `json:"prompt_tokens"`
	File    int64  `json:"file_bytes"`
	Needed  int64  `json:"needed_bytes"` // by the prompt

	Cold       float64 `json:"cold_seconds"` // open and prompt, from storage
	ColdSpread float64 `json:"cold_spread"`
	ColdOpen   float64 `json:"cold_open_seconds"`
	AfterOpen  int64   `json:"bytes_in_memory_after_open"`
	After      int64   `json:"bytes_in_memory"`

	Read       float64 `json:"read_seconds"` // of what is needed, alone
	ReadSpread float64 `json:"read_spread"`
	ReadRate   float64 `json:"storage_gb_per_second"`

	Cached       float64 `json:"cached_seconds"` // open and prompt, from memory
	CachedSpread float64 `json:"cached_spread"`
	CachedOpen   float64 `json:"cached_open_seconds"`

	Fraction float64 `json:"start_fraction"` // max(read, cached)/cold, of each repeat
}

// span is a run of bytes of a file.
type span struct {
	shard  int
	off, n int64
}

// starts measures how long it takes from storage to the first logits.
type starts struct {
	config
	path string
	file *gguf.File
	size int64
}

func (c *config) starts(ctx context.Context, out io.Writer) error {
	prompts := []int{1, 16, 256}
	if c.promptSet {
		prompts = []int{c.prompt}
	}
	path, err := c.path(ctx)
	if err != nil {
		return err
	}
	s := &starts{config: *c, path: path}
	if s.file, err = gguf.Open(path, quant.SizeOf); err != nil {
		return fmt.Errorf("-start wants a GGUF file: %w", err)
	}
	defer s.file.Close()
	for _, f := range s.file.Shards() {
		s.size += f.Size()
	}
	for i, n := range prompts {
		r, err := s.measure(ctx, n)
		if err != nil {
			return err
		}
		if c.json {
			if err := json.NewEncoder(out).Encode(r); err != nil {
				return err
			}
			continue
		}
		if i == 0 {
			fmt.Fprintf(out, "%s of %s, %d threads\n", r.Model, cli.Bytes(r.File), r.Threads)
			fmt.Fprintln(out, "prompt      needs     came in      cold  (spread, open)       read              cached  (open)     of the limit")
		}
		fmt.Fprintf(out, "%6d %10s %11s %7.2f s  (%2.0f %%, %.3f s) %8.2f s, %.2f GB/s %7.2f s  (%.3f s) %10.0f %%\n",
			r.Prompt, cli.Bytes(r.Needed), cli.Bytes(r.After), r.Cold, 100*r.ColdSpread, r.ColdOpen, r.Read, r.ReadRate, r.Cached, r.CachedOpen, 100*r.Fraction)
	}
	return nil
}

func (s *starts) measure(ctx context.Context, prompt int) (r startResult, err error) {
	r = startResult{Model: filepath.Base(s.path), Prompt: prompt, File: s.size}
	need, threads, err := s.needs(ctx, prompt)
	if err != nil {
		return r, err
	}
	r.Threads = threads
	for _, p := range need {
		r.Needed += p.n
	}
	var cold, coldOpen, read, cached, cachedOpen, fraction []float64
	fromStorage := func() error {
		if err := s.drop(); err != nil {
			return err
		}
		open, all, afterOpen, err := s.start(ctx, prompt)
		if err != nil {
			return err
		}
		cold, coldOpen, r.AfterOpen = append(cold, all), append(coldOpen, open), afterOpen
		r.After, err = s.resident()
		return err
	}
	alone := func() error {
		best := math.Inf(1)
		for _, readers := range []int{threads, 4 * threads} {
			if err := s.drop(); err != nil {
				return err
			}
			t, err := s.read(need, readers)
			if err != nil {
				return err
			}
			best = min(best, t)
		}
		read = append(read, best)
		return nil
	}
	for i := range s.repeats {
		first, second := fromStorage, alone
		if i%2 == 1 { // storage may have a cache of its own
			first, second = second, first
		}
		if err := errors.Join(first(), second()); err != nil {
			return r, err
		}
		open, all, _, err := s.start(ctx, prompt)
		if err != nil {
			return r, err
		}
		cached, cachedOpen = append(cached, all), append(cachedOpen, open)
		fraction = append(fraction, max(read[i], cached[i])/cold[i])
	}
	r.Cold, r.ColdSpread = median(cold)
	r.ColdOpen, _ = median(coldOpen)
	r.Read, r.ReadSpread = median(read)
	r.ReadRate = float64(r.Needed) / r.Read / 1e9
	r.Cached, r.CachedSpread = median(cached)
	r.CachedOpen, _ = median(cachedOpen)
	r.Fraction, _ = median(fraction)
	return r, nil
}

// start opens the model and sends a prompt through it. It returns the seconds that
// opening took, and both, and how much of the file was in memory in between.
func (s *starts) start(ctx context.Context, prompt int) (open, all float64, between int64, err error) {
	begin := time.Now()
	m, err := openModel(s.path, s.config)
	if err != nil {
		return 0, 0, 0, err
	}
	defer m.Close()
	opened := time.Since(begin)
	if between, err = s.resident(); err != nil {
		return 0, 0, 0, err
	}
	begin = time.Now()
	if _, err := m.Forward(ctx, m.NewState(), tokens(prompt, m.Config().Vocab)); err != nil {
		return 0, 0, 0, err
	}
	return opened.Seconds(), (opened + time.Since(begin)).Seconds(), between, nil
}

// needs returns what a prompt cannot do without, in the order of the files: the
// headers, the embeddings of its tokens, each expert that one of them is sent to,
// and all of the other weights.
func (s *starts) needs(ctx context.Context, prompt int) ([]span, int, error) {
	type key struct{ layer, expert int }
	sent := map[key]bool{}
	m, err := openModel(s.path, s.config, moe.WithRouteObserver(func(layer, _ int, ids []int32, _ []float32) {
		for _, id := range ids {
			sent[key{layer, int(id)}] = true
		}
	}))
	if err != nil {
		return nil, 0, err
	}
	defer m.Close()
	c := m.Config()
	ids := tokens(prompt, c.Vocab)
	if _, err := m.Forward(ctx, m.NewState(), ids); err != nil {
		return nil, 0, err
	}

	var need []span
	header := make([]int64, len(s.file.Shards()))
	for i, f := range s.file.Shards() {
		header[i] = f.Size()
	}
	for _, t := range s.file.Tensors() {
		header[t.Shard] = min(header[t.Shard], t.Offset)
		parts, used := 1, func(int) bool { return true }
		layer := -1
		fmt.Sscanf(t.Name, "blk.%d.", &layer)
		switch {
		case layer >= len(c.Layers):
			continue // of a part of the model that is not used
		case strings.Contains(t.Name, "_exps.") && len(t.Shape) == 3:
			parts, used = int(t.Shape[2]), func(e int) bool { return sent[key{layer, e}] }
		case t.Name == "token_embd.weight" && !c.TiedOutput:
			parts, used = c.Vocab, func(id int) bool { return slices.Contains(ids, int32(id)) }
		}
		for i := range parts {
			if n := t.Size / int64(parts); used(i) {
				need = append(need, span{t.Shard, t.Offset + int64(i)*n, n})
			}
		}
	}
	for i, n := range header {
		need = append(need, span{i, 0, n})
	}
	slices.SortFunc(need, func(a, b span) int { return cmp.Or(cmp.Compare(a.shard, b.shard), cmp.Compare(a.off, b.off)) })
	joined := need[:0]
	for _, p := range need {
		if n := len(joined); n > 0 && joined[n-1].shard == p.shard && joined[n-1].off+joined[n-1].n == p.off {
			joined[n-1].n += p.n
		} else {
			joined = append(joined, p)
		}
	}
	return joined, m.Threads(), nil
}

// read reads spans in large pieces with so many threads and returns the seconds.
func (s *starts) read(need []span, threads int) (float64, error) {
	const most = 4 << 20
	var pieces []span
	for _, p := range need {
		for ; p.n > most; p.off, p.n = p.off+most, p.n-most {
			pieces = append(pieces, span{p.shard, p.off, most})
		}
		pieces = append(pieces, p)
	}
	var wg sync.WaitGroup
	var next atomic.Int64
	errs := make([]error, threads)
	begin := time.Now()
	for t := range threads {
		wg.Go(func() {
			b := make([]byte, most)
			for errs[t] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(pieces) {
					return
				}
				p := pieces[i]
				_, errs[t] = s.file.Shards()[p.shard].ReadAt(b[:p.n], p.off)
			}
		})
	}
	wg.Wait()
	return time.Since(begin).Seconds(), errors.Join(errs...)
}

// drop takes the files out of the system's page cache.
func (s *starts) drop() error {
	for _, f := range s.file.Shards() {
		if err := flush(f.Path()); err != nil {
			return err
		}
		if err := f.Advise(0, f.Size(), mmap.DontNeed); err != nil {
			return err
		}
	}
	if in, err := s.resident(); err != nil || in > s.size/100 {
		return errors.Join(err, fmt.Errorf("%s: want none of it in memory, found %s that the system keeps", s.path, cli.Bytes(in)))
	}
	return nil
}

// flush writes a file's pages to storage; until then they cannot be dropped.
func flush(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// resident returns how much of the files is in memory.
func (s *starts) resident() (in int64, err error) {
	for _, f := range s.file.Shards() {
		n, err := f.Resident(0, f.Size())
		if err != nil {
			return 0, err
		}
		in += n
	}
	return in, nil
}
