package moe

import (
	"cmp"
	"fmt"
	"io"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/coterie-go/coterie/expert"
	"github.com/coterie-go/coterie/internal/mmap"
	"github.com/coterie-go/coterie/tensor"
)

// WithoutMapping reads all weights into memory of the model's own when it is opened,
// in pages of 2 MB where the system gives them, instead of using them where they lie in
// the mapped files. These stay open, for State.Save and Restore to tell models apart.
// Results are the same bits. It costs the model's size in memory, which no other process
// shares and the system cannot take back, and the time to read it all before the
// first token; prompts and tokens are faster where a mapping's pages are of 4 KB, because
// a processor looks up less. With a budget for experts it changes nothing: a budget's
// experts, and all other weights beside them, are held like this anyway.
func WithoutMapping() Option {
	return func(o *options) error { o.hold = true; return nil }
}

// hold reads weights into memory of the model's own and points the matrices there: all
// of them, or all but the routed experts. Mapped, they would be the system's to evict
// whenever experts pass through its cache, and a file cut off would be a fault.
func (m *Model) hold(experts bool) (all []byte, err error) {
	type part struct {
		data *[]byte
		file int
		off  int64
		at   int64
	}
	var parts []part
	seen := map[*tensor.Linear]bool{}
	take := func(l *tensor.Linear) {
		if seen[l] {
			return
		}
		seen[l] = true
		for _, p := range []*[]byte{&l.Data, &l.Scale8} {
			if file, off, ok := m.locate(*p); ok {
				parts = append(parts, part{data: p, file: file, off: off})
			}
		}
	}
	eachLinear(reflect.ValueOf(m.w).Elem(), take)
	for i := range m.w.layers {
		l := &m.w.layers[i]
		eachLinear(reflect.ValueOf(l).Elem(), take)
		for e := range l.experts {
			if x := &l.experts[e]; experts {
				take(&x.Gate)
				take(&x.Up)
				take(&x.Down)
			}
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.off, b.off)) })

	// Views of one tensor (the heads of latent attention, say) are read as one run.
	type run struct {
		file         int
		off, len, at int64
	}
	var runs []run
	size := int64(0)
	for i := range parts {
		p := &parts[i]
		n := int64(len(*p.data))
		if k := len(runs); k > 0 && runs[k-1].file == p.file && p.off <= runs[k-1].off+runs[k-1].len {
			last := &runs[k-1]
			last.len = max(last.len, p.off-last.off+n)
			p.at = last.at + p.off - last.off
			size = last.at + last.len
			continue
		}
		p.at = (size + 63) &^ 63 // a cache line's start
		runs = append(runs, run{p.file, p.off, n, p.at})
		size = p.at + n
	}
	if size == 0 {
		return nil, nil
	}
	if all, err = mmap.Alloc(int(size)); err != nil {
		return nil, err
	}
	mmap.Huge(all)
	var pieces []holdPiece
	for _, r := range runs {
		for done := int64(0); done < r.len; done += holdBytes {
			n := min(r.len-done, holdBytes)
			pieces = append(pieces, holdPiece{source{m.ckpt.shards[r.file]}, r.off + done, all[r.at+done:][:n]})
		}
	}
	if err := readPieces(pieces); err != nil {
		mmap.Free(all)
		return nil, err
	}
	for _, f := range m.ckpt.shards {
		changed, err := f.Changed()
		if err == nil && changed {
			err = expert.ErrChanged
		}
		if err == nil {
			err = f.Unload() // what was touched to read the header and small tensors
		}
		if err != nil {
			mmap.Free(all)
			return nil, fmt.Errorf("%w: %s: %w", ErrFile, f.Path(), err)
		}
	}
	for _, p := range parts {
		n := int64(len(*p.data))
		*p.data = all[p.at : p.at+n : p.at+n]
	}
	return all, nil
}

// holdPiece is a part of a file that one read asks for.
type holdPiece struct {
	from source
	off  int64
	dst  []byte
}

// holdBytes is the length of a piece, and holdReaders how many are read at a time:
// storage wants several requests.
const holdBytes, holdReaders = 4 << 20, 8

// readPieces reads all pieces and returns the first error that it met.
func readPieces(pieces []holdPiece) error {
	var next, failed atomic.Int64
	errs := make([]error, len(pieces))
	var wg sync.WaitGroup
	for range min(holdReaders, len(pieces)) {
		wg.Go(func() {
			for failed.Load() == 0 {
				i := int(next.Add(1) - 1)
				if i >= len(pieces) {
					return
				}
				p := &pieces[i]
				if n, err := p.from.ReadAt(p.dst, p.off); n != len(p.dst) {
					if err == nil || err == io.EOF {
						err = io.ErrUnexpectedEOF
					}
					errs[i] = fmt.Errorf("%w: %s: want %d bytes at %d, found %d: %w", ErrFile, p.from.Path(), len(p.dst), p.off, n, err)
					failed.Store(1)
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
