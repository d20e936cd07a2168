package main

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coterie-go/coterie/internal/mmap"
	"github.com/coterie-go/coterie/kernels"
)

// limits measures the most that the machine does with all threads at once, between
// the runs because shared machines drift.
type limits struct {
	threads int
	buffer  []byte
}

// limit is one such measurement.
type limit struct {
	read, int8, float float64 // GB/s, G multiply-adds/s
}

// or returns the higher of each.
func (a limit) or(b limit) limit {
	return limit{max(a.read, b.read), max(a.int8, b.int8), max(a.float, b.float)}
}

// newLimits takes memory in pages of 2 MB, if the system gives them: with those of 4 KB
// plain reading waits for addresses, too.
func newLimits(threads int) (*limits, error) {
	b, err := mmap.Alloc(256 << 20 * ((threads + 7) / 8))
	if err != nil {
		return nil, err
	}
	mmap.Huge(b)
	for i := range b {
		b[i] = byte(i)
	}
	return &limits{threads: threads, buffer: b}, nil
}

func (l *limits) free() error { return mmap.Free(l.buffer) }

func (l *limits) measure() (m limit) {
	m.read = l.rate(func(t int) float64 {
		n := len(l.buffer) / l.threads &^ 4095
		kernels.LimitRead(l.buffer[t*n : (t+1)*n])
		return float64(n)
	})
	m.int8 = l.rate(func(int) float64 { return float64(kernels.LimitInt8(1 << 30)) })
	m.float = l.rate(func(int) float64 { return float64(kernels.LimitFloat(1 << 29)) })
	return m
}

// rate runs work on all threads, a few times, and returns the best sum of their
// units, in 1e9 a second.
func (l *limits) rate(work func(thread int) float64) float64 {
	best := 0.0
	for range 3 {
		var wg sync.WaitGroup
		units := make([]float64, l.threads)
		start := time.Now()
		for t := range l.threads {
			wg.Go(func() { units[t] = work(t) })
		}
		wg.Wait()
		sum := 0.0
		for _, u := range units {
			sum += u
		}
		best = max(best, sum/time.Since(start).Seconds()/1e9)
	}
	return best
}

// resident returns the process's resident memory, 0 where the system does not
// tell.
func resident() int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(data), "\n") {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "VmRSS:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}
