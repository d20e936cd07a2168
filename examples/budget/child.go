package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/coterie-go/coterie/moe"
)

// job is what a process measures.
type job struct {
	Path           string
	Budget         int64  // 0 for none
	Mapped         bool   // Budget bounds a mapping
	Group          string // a control group to run in, "" for none
	Prompt, Tokens int
	Threads        int
	Skew           float64
	Experts        int // of a layer
	Prefetch       bool
}

// result is what it found. Read and Stall are for one generated token.
type result struct {
	Part           float64
	Prompt, Decode float64 // tokens a second
	HitRate        float64
	Read           float64 // bytes
	Stall          float64 // seconds
	Peak           int64   // resident memory, bytes
	Caches         int64   // of the state
	Print          uint64  // of the logits' bits
}

func runChild(ctx context.Context, arg string) error {
	var j job
	if err := json.Unmarshal([]byte(arg), &j); err != nil {
		return err
	}
	r, err := j.run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func (j *job) run(ctx context.Context) (r result, err error) {
	if j.Group != "" {
		if err := joinGroup(j.Group); err != nil {
			return r, err
		}
	}
	var opts []moe.Option
	if j.Threads > 0 {
		opts = append(opts, moe.WithThreads(j.Threads))
	}
	if j.Prefetch {
		opts = append(opts, moe.WithExpertPrefetch())
	}
	if j.Budget > 0 && !j.Mapped {
		opts = append(opts, moe.WithExpertBudget(j.Budget))
	}
	if j.Skew > 0 {
		opts = append(opts, moe.WithRouteOverride(newRoutes(j.Prompt+j.Tokens, j.Experts, j.Skew).override))
	}
	var h *holder
	if j.Mapped {
		if h, err = newHolder(j.Path, j.Budget); err != nil {
			return r, err
		}
		defer h.close()
		opts = append(opts, moe.WithRouteObserver(h.observe))
	}
	m, err := moe.Open(j.Path, opts...)
	if err != nil {
		return r, err
	}
	defer m.Close()
	vocab := m.Config().Vocab
	ids := make([]int32, j.Prompt)
	for i := range ids {
		ids[i] = int32(i * 7919 % vocab)
	}
	s := m.NewState()
	start := time.Now()
	logits, err := m.Forward(ctx, s, ids)
	if err != nil {
		return r, err
	}
	r.Prompt = float64(j.Prompt) / (time.Since(start) - h.took()).Seconds()

	print := fnv.New64a()
	before := m.ExpertMetrics()
	was, stalled := before.Total()
	start = time.Now()
	held := h.took()
	for i := range j.Tokens {
		binary.Write(print, binary.LittleEndian, logits)
		// Weights without meaning would repeat one token for ever.
		if logits, err = m.Forward(ctx, s, []int32{int32((i*104729 + 7) % vocab)}); err != nil {
			return r, err
		}
	}
	n := float64(j.Tokens)
	r.Decode = n / (time.Since(start) - (h.took() - held)).Seconds()
	after := m.ExpertMetrics()
	is, longer := after.Total()
	is.Hits, is.Misses = is.Hits-was.Hits, is.Misses-was.Misses
	r.HitRate, r.Read, r.Stall = is.HitRate(), float64(is.Bytes-was.Bytes)/n, (longer-stalled).Seconds()/n
	r.Caches, r.Print = s.Bytes(), print.Sum64()
	if r.Peak, err = peak(); err != nil {
		fmt.Fprintln(os.Stderr, "budget: peak of resident memory:", err)
	}
	if math.IsNaN(r.Decode) || j.Tokens == 0 {
		return r, fmt.Errorf("want one token or more, found %d", j.Tokens)
	}
	return r, nil
}

// peak returns the most memory that this process has had, where the system tells.
func peak() (int64, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			var kb int64
			_, err := fmt.Sscan(rest, &kb)
			return kb << 10, err
		}
	}
	return 0, io.ErrUnexpectedEOF
}

// warm reads a file, so that it lies in the system's cache.
func warm(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for b := make([]byte, 1<<20); ctx.Err() == nil; {
		if _, err := f.Read(b); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
	return ctx.Err()
}
