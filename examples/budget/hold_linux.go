package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/quant"
	"golang.org/x/sys/unix"
)

// holder keeps the mapping of a model's experts within a limit: when a layer is
// about to use experts, those used longest ago are dropped from the mapping and
// from the system's cache. The system maps and caches neighbours of what is
// touched, unasked; when these exceed the limit, all that is not among the experts
// used last is dropped again.
type holder struct {
	file  *os.File
	parts map[[2]int][]part // of each layer and expert
	limit int64
	used  int64
	dense int64      // bytes of the other weights
	layer int        // the last one seen
	order []([2]int) // least recently used first
	base  uintptr    // of the model's mapping, once it is known
	spent time.Duration
}

type part struct{ off, n int64 }

func newHolder(path string, limit int64) (*holder, error) {
	g, err := gguf.Open(path, quant.SizeOf)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	h := &holder{parts: map[[2]int][]part{}, limit: limit}
	for _, t := range g.Tensors() {
		var layer int
		h.dense += t.Size
		if _, err := fmt.Sscanf(t.Name, "blk.%d.", &layer); err != nil || !strings.Contains(t.Name, "_exps.") || len(t.Shape) != 3 {
			continue
		}
		h.dense -= t.Size
		n := int(t.Shape[2])
		for e := range n {
			k := [2]int{layer, e}
			h.parts[k] = append(h.parts[k], part{t.Offset + int64(e)*t.Size/int64(n), t.Size / int64(n)})
		}
	}
	h.file, err = os.Open(path)
	return h, err
}

func (h *holder) close() { h.file.Close() }

// took returns how long holding has taken so far, which a system would not charge
// to the program.
func (h *holder) took() time.Duration {
	if h == nil {
		return 0
	}
	return h.spent
}

func (h *holder) observe(layer, _ int, ids []int32, _ []float32) {
	start := time.Now()
	defer func() { h.spent += time.Since(start) }()
	if h.base == 0 {
		var err error
		if h.base, err = mappingOf(h.file.Name()); err != nil {
			panic(err) // there is nothing to measure then
		}
	}
	if layer != h.layer {
		h.layer = layer
		h.sweep()
	}
	for _, id := range ids {
		k := [2]int{layer, int(id)}
		found := false
		for i, o := range h.order {
			if o == k {
				copy(h.order[i:], h.order[i+1:])
				h.order[len(h.order)-1] = k
				found = true
				break
			}
		}
		if !found {
			h.order = append(h.order, k)
			h.used += h.size(k)
		}
	}
	for h.used > h.limit {
		k := h.order[0]
		h.order = h.order[1:]
		h.used -= h.size(k)
		for _, p := range h.parts[k] {
			h.drop(p)
		}
	}
}

// sweep drops neighbours if the mapping takes more than experts may and the other
// weights do.
func (h *holder) sweep() {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return
	}
	var all, resident, file int64
	fmt.Sscan(string(b), &all, &resident, &file)
	over := file*int64(os.Getpagesize()) - (h.limit + h.dense + 16<<20) // the program's own pages
	if over <= 0 {
		return
	}
	used := make(map[[2]int]bool, len(h.order))
	for _, k := range h.order {
		used[k] = true
	}
	for k, parts := range h.parts {
		if !used[k] {
			for _, p := range parts {
				h.drop(p)
			}
		}
	}
}

func (h *holder) size(k [2]int) (n int64) {
	for _, p := range h.parts[k] {
		n += p.n
	}
	return n
}

// drop lets go of whole pages.
func (h *holder) drop(p part) {
	page := int64(os.Getpagesize())
	lo, hi := (p.off+page-1)/page*page, (p.off+p.n)/page*page
	if lo >= hi {
		return
	}
	unix.Syscall(unix.SYS_MADVISE, h.base+uintptr(lo), uintptr(hi-lo), unix.MADV_DONTNEED)
	unix.Fadvise(int(h.file.Fd()), lo, hi-lo, unix.FADV_DONTNEED)
}

// mappingOf finds where the model has mapped a file.
func mappingOf(path string) (uintptr, error) {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		w := strings.Fields(s.Text())
		if len(w) == 6 && w[2] == "00000000" && sameFile(w[5], path) {
			from, _, _ := strings.Cut(w[0], "-")
			n, err := strconv.ParseUint(from, 16, 64)
			return uintptr(n), err
		}
	}
	return 0, fmt.Errorf("%s is not mapped", path)
}

func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// drop empties the system's cache of a file.
func drop(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil { // pages that are not on disk yet stay
		return err
	}
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
