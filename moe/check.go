package moe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/coterie-go/coterie/quant"
)

// checkLimit is the size of weights up to which Open looks at every scale: half a
// second's reading. A larger file may not fit in memory at all.
const checkLimit = 1 << 30

// maxListed is how many bad tensors an error lists.
const maxListed = 16

// WithCheck sets whether Open looks at the scales of all quantised weights and
// reports those that are not finite (ErrNumber). By default it does so for
// checkpoints of up to 1 GiB, because all of the file has to be read. Without it
// such a scale is reported by the first Forward that it spoils. So is, always, a
// value that is not finite in a matrix of floating-point weights, which has no
// scales to tell: to find it, Open would have to read all of each checkpoint. Norms
// and biases are read when opened, and looked at then.
func WithCheck(on bool) Option {
	return func(o *options) error { o.check, o.checkSet = on, true; return nil }
}

// slab is a part of a tensor to be checked at once.
type slab struct {
	tensorView
	from, to int // bytes, whole blocks
}

// weightCheck checks a slab a task. Files are read, not mapped: pages of a mapping
// would count as the process's memory.
type weightCheck struct {
	c       *checkpoint
	slabs   []slab
	buffers [][]byte
	errs    []error // of each slab
}

// checkWeights looks at all scales if the options say so.
func (m *Model) checkWeights() error {
	w := &weightCheck{c: m.ckpt, buffers: make([][]byte, m.pool.Workers())}
	total := 0
	for _, name := range m.ckpt.names {
		v, ok, err := m.ckpt.find(name)
		total += len(v.data)
		if !ok || err != nil || v.typ.Form() == quant.Float || v.typ.Form() == quant.Index && !v.scales() {
			continue
		}
		const about = 1 << 20
		step := max(1, about/v.typ.BlockBytes()) * v.typ.BlockBytes()
		for from := 0; from < len(v.data); from += step {
			w.slabs = append(w.slabs, slab{v, from, min(from+step, len(v.data))})
		}
	}
	if m.opts.checkSet && !m.opts.check || !m.opts.checkSet && total > checkLimit {
		return nil
	}
	w.errs = make([]error, len(w.slabs))
	m.pool.Run(len(w.slabs), w)
	var errs []error
	last := ""
	for i, err := range w.errs {
		if name := w.slabs[i].name; err != nil && name != last { // one a tensor
			errs, last = append(errs, err), name
		}
	}
	if len(errs) > maxListed {
		errs = append(errs[:maxListed], fmt.Errorf("%w: and %d more tensors", ErrNumber, len(errs)-maxListed))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s: %w", m.ckpt.path, err)
	}
	return nil
}

// scales reports whether v holds the scales of the hub's MXFP4.
func (v *tensorView) scales() bool { return v.typ == quant.I8 && strings.HasSuffix(v.name, "_scales") }

// Do checks slab i.
func (w *weightCheck) Do(worker, i int) {
	s := &w.slabs[i]
	data := s.data[s.from:s.to]
	if len(w.c.shards) > 0 {
		if w.buffers[worker] == nil {
			w.buffers[worker] = make([]byte, 1<<20)
		}
		data = w.buffers[worker][:s.to-s.from]
		if _, err := w.c.shards[s.shard].ReadAt(data, s.offset+int64(s.from)); err != nil {
			w.errs[i] = fmt.Errorf("%w: %s: %w", ErrFile, s.name, err)
			return
		}
	}
	var err error
	if s.scales() {
		err = quant.CheckE8M0(data)
	} else {
		err = quant.Check(s.typ, data)
	}
	if err != nil {
		w.errs[i] = fmt.Errorf("%w: %s: from block %d on: %w", ErrNumber, s.name, s.from/s.typ.BlockBytes(), err)
	}
}
