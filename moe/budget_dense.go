package moe

import (
	"cmp"
	"fmt"
	"io"
	"reflect"
	"slices"

	"github.com/coterie-go/coterie/internal/mmap"
	"github.com/coterie-go/coterie/tensor"
)

// holdDense reads all weights but the routed experts into memory of the model's
// own and points the matrices there. Mapped, they would be the system's to evict
// whenever experts pass through its cache, and a file cut off would be a fault.
func (m *Model) holdDense() (all []byte, err error) {
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
		eachLinear(reflect.ValueOf(&m.w.layers[i]).Elem(), take)
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
	for _, r := range runs {
		f := source{m.ckpt.shards[r.file]}
		for done := int64(0); done < r.len; {
			n := min(r.len-done, 8<<20)
			if k, err := f.ReadAt(all[r.at+done:][:n], r.off+done); int64(k) != n {
				mmap.Free(all)
				if err == nil || err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return nil, fmt.Errorf("%w: %s: want %d bytes at %d, found %d: %w", ErrFile, f.Path(), n, r.off+done, k, err)
			}
			done += n
		}
	}
	for _, p := range parts {
		n := int64(len(*p.data))
		*p.data = all[p.at : p.at+n : p.at+n]
	}
	for _, f := range m.ckpt.shards { // what was touched to read the header and small tensors
		if err := f.Unload(); err != nil {
			mmap.Free(all)
			return nil, fmt.Errorf("%w: %s: %w", ErrFile, f.Path(), err)
		}
	}
	return all, nil
}
