package moe

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/quant"
)

// OpenImportance opens an importance matrix: a GGUF file as WriteGGUF and
// llama.cpp's imatrix tool write it. (The .dat files of that tool's versions before
// mid-2025 do not say which values belong to which expert; it converts them.) The
// file is mapped, and read as needed; close the result when done.
func OpenImportance(path string) (*Importance, error) {
	im := NewImportance()
	err := im.openGGUF(path)
	if err == nil {
		err = im.check()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: importance: %s: %w", ErrFormat, path, err), im.Close())
	}
	return im, nil
}

func (im *Importance) openGGUF(path string) error {
	f, err := gguf.Open(path, quant.SizeOf)
	if err != nil {
		return err
	}
	im.close = f.Close
	if kind, _, _ := f.String("general.type"); kind != "imatrix" {
		return fmt.Errorf("general.type: want imatrix, found %q", kind)
	}
	for _, t := range f.Tensors() {
		name, ok := strings.CutSuffix(t.Name, ".in_sum2")
		if !ok {
			continue
		}
		cols, parts := int(t.Shape[0]), 1
		for _, n := range t.Shape[1:] {
			parts *= int(n)
		}
		counts, ok := f.Tensor(name + ".counts")
		switch {
		case !ok:
			return fmt.Errorf("%s.counts: want a tensor, found none", name)
		case quant.Type(t.Type) != quant.F32 || quant.Type(counts.Type) != quant.F32:
			return fmt.Errorf("%s: want F32, found %v and %v", name, quant.Type(t.Type), quant.Type(counts.Type))
		case counts.Size != int64(4*parts):
			return fmt.Errorf("%s.counts: want %d values, found %d", name, parts, counts.Size/4)
		}
		c := &columns{cols: cols, counts: make([]float32, parts), square: sums{raw: f.Bytes(t)}}
		if plain, ok := f.Tensor(name + ".in_sum"); ok {
			if quant.Type(plain.Type) != quant.F32 || plain.Size != t.Size {
				return fmt.Errorf("%s.in_sum: want %d values in F32, found %d bytes of %v", name, t.Size/4, plain.Size, quant.Type(plain.Type))
			}
			c.plain.raw = f.Bytes(plain)
		}
		if err := quant.Dequantize(c.counts, quant.F32, f.Bytes(counts)); err != nil {
			return err
		}
		im.tensors[name] = c
	}
	return nil
}

// check refuses sums and counts that are not sums of squares and counts.
func (im *Importance) check() error {
	if len(im.tensors) == 0 {
		return errors.New("want an importance matrix, found no tensors")
	}
	for name, c := range im.tensors {
		for p, n := range c.counts {
			if !(n >= 0) || math.IsInf(float64(n), 0) {
				return fmt.Errorf("%s: count %d is %v", name, p, n)
			}
			for i, v := range c.row(&c.square, p) {
				if !(v >= 0) || math.IsInf(float64(v), 0) {
					return fmt.Errorf("%w: %s: sum of squares of part %d, column %d is %v", ErrNumber, name, p, i, v)
				}
			}
			if c.plain.none() {
				continue
			}
			for i, v := range c.row(&c.plain, p) {
				if v-v != 0 {
					return fmt.Errorf("%w: %s: sum of part %d, column %d is %v", ErrNumber, name, p, i, v)
				}
			}
		}
	}
	return nil
}
