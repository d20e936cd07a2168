package expert

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// A Span is a run of bytes of one of a store's files, and where it goes in the
// expert's own memory.
type Span struct {
	File int
	Off  int64
	Len  int
	At   int
}

// Stored is an expert that lies in files.
type Stored struct {
	expert Expert // as bound to the files; its bytes are never touched
	spans  []Span
	at     [6]int // where the parts begin: data of gate, up and down, then the scales beside them
	size   int64
}

// parts returns the slices of an expert that lie in files.
func (e *Expert) parts() [6]*[]byte {
	return [6]*[]byte{&e.Gate.Data, &e.Up.Data, &e.Down.Data, &e.Gate.Scale8, &e.Up.Scale8, &e.Down.Scale8}
}

// Place finds out where the bytes of an expert lie. locate says where a slice is:
// which file, and how far into it. Parts that overlap or touch (gates and ups
// whose rows alternate, say) are read once.
func Place(e *Expert, locate func(b []byte) (file int, off int64, ok bool)) (Stored, error) {
	st := Stored{expert: *e}
	type part struct {
		Span
		i int
	}
	var parts []part
	for i, p := range st.expert.parts() {
		if len(*p) == 0 {
			continue
		}
		file, off, ok := locate(*p)
		if !ok {
			return st, errors.New("expert: part of an expert does not lie in a file")
		}
		parts = append(parts, part{Span{File: file, Off: off, Len: len(*p)}, i})
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Off, b.Off))
	})
	for _, p := range parts {
		if n := len(st.spans); n > 0 {
			last := &st.spans[n-1]
			if over := p.Off - last.Off; last.File == p.File && over <= int64(last.Len) {
				last.Len = max(last.Len, int(over)+p.Len)
				st.at[p.i] = last.At + int(over)
				st.size = int64(last.At + last.Len)
				continue
			}
		}
		p.At = int(st.size+63) &^ 63 // a cache line's start
		st.at[p.i], st.size = p.At, int64(p.At+p.Len)
		st.spans = append(st.spans, p.Span)
	}
	return st, nil
}

// Size returns the bytes of memory that the expert takes.
func (st *Stored) Size() int64 { return st.size }

func (st *Stored) check(files int) error {
	for _, sp := range st.spans {
		if sp.File < 0 || sp.File >= files {
			return fmt.Errorf("expert: span in file %d of %d", sp.File, files)
		}
	}
	if len(st.spans) == 0 {
		return errors.New("expert: nothing to read")
	}
	return nil
}

// bind makes dst the expert with its bytes in slot.
func (st *Stored) bind(dst *Expert, slot []byte) {
	*dst = st.expert
	for i, p := range dst.parts() {
		if n := len(*p); n > 0 {
			*p = slot[st.at[i] : st.at[i]+n : st.at[i]+n]
		}
	}
}
