package moe

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/quant"
)

// Importance says how much the columns of a model's weight matrices matter: the
// means and mean squares of the activations that each is multiplied with on some
// text. A quantiser that knows them (Export.Importance) loses less of the model. Collect one by opening a model with
//
//	imp := moe.NewImportance()
//	m, err := moe.Open(path, moe.WithActivationObserver(imp.Observe))
//
// and sending text through it, or open one from a file. Its methods may be called
// by many goroutines.
type Importance struct {
	mu      sync.Mutex
	tensors map[string]*columns
	close   func() error
}

// columns holds one tensor's sums of activations, a row of cols values for each of
// its matrices, and how many rows of activations they are sums over.
type columns struct {
	cols   int
	counts []float32 // (parts)
	square sums
	plain  sums // of the values themselves; files of llama.cpp lack them
}

// sums is (parts, cols), in memory or in a file.
type sums struct {
	data []float32
	raw  []byte
	all  []float32 // mean over all parts, made when first used
}

func (s *sums) none() bool { return s.data == nil && s.raw == nil }

// NewImportance returns one that has seen nothing.
func NewImportance() *Importance { return &Importance{tensors: map[string]*columns{}} }

// Observe adds a row of activations. It is an ActivationObserver.
func (im *Importance) Observe(a Activation) {
	im.mu.Lock()
	defer im.mu.Unlock()
	c := im.tensors[a.Tensor]
	if c == nil {
		c = &columns{cols: len(a.X), counts: make([]float32, a.Parts)}
		c.square.data, c.plain.data = make([]float32, a.Parts*c.cols), make([]float32, a.Parts*c.cols)
		im.tensors[a.Tensor] = c
	}
	c.counts[a.Part]++
	square, plain := c.square.data[a.Part*c.cols:][:c.cols], c.plain.data[a.Part*c.cols:][:c.cols]
	for i, v := range a.X {
		square[i] += v * v
		plain[i] += v
	}
	c.square.all, c.plain.all = nil, nil
}

// Tensors returns the names of the tensors whose activations were seen, sorted.
func (im *Importance) Tensors() []string {
	im.mu.Lock()
	defer im.mu.Unlock()
	return slices.Sorted(maps.Keys(im.tensors))
}

// Parts returns how many matrices a tensor holds, 0 for unknown ones.
func (im *Importance) Parts(tensor string) int {
	im.mu.Lock()
	defer im.mu.Unlock()
	if c := im.tensors[tensor]; c != nil {
		return len(c.counts)
	}
	return 0
}

// Count returns how many rows of activations a tensor's matrix was multiplied with,
// 0 for unknown ones.
func (im *Importance) Count(tensor string, part int) int {
	im.mu.Lock()
	defer im.mu.Unlock()
	if c := im.tensors[tensor]; c != nil && part >= 0 && part < len(c.counts) {
		return int(c.counts[part])
	}
	return 0
}

// prior is the number of rows for which the mean over all of a layer's experts
// stands in the mean of one: an expert that saw few tokens, or none, is judged by
// what the others saw.
const prior = 16

// Columns returns the means and mean squares of the activations of a tensor's
// matrix; none if nothing is known. It is what Export.Importance takes.
func (im *Importance) Columns(tensor string, part int) quant.Columns {
	im.mu.Lock()
	defer im.mu.Unlock()
	c := im.tensors[tensor]
	if c == nil || part < 0 || part >= len(c.counts) {
		return quant.Columns{}
	}
	return quant.Columns{Square: c.mean(&c.square, part), Mean: c.mean(&c.plain, part)}
}

// mean returns a part's means, or nil.
func (c *columns) mean(s *sums, part int) []float32 {
	if s.none() {
		return nil
	}
	if s.all == nil {
		s.all = make([]float32, c.cols)
		total := float32(0)
		for p, n := range c.counts {
			total += n
			for i, v := range c.row(s, p) {
				s.all[i] += v
			}
		}
		for i := range s.all {
			s.all[i] /= max(total, 1)
		}
	}
	mean := c.row(s, part)
	for i := range mean {
		mean[i] = (mean[i] + prior*s.all[i]) / (c.counts[part] + prior)
	}
	return mean
}

// row returns a copy of a part's sums.
func (c *columns) row(s *sums, part int) []float32 {
	row := make([]float32, c.cols)
	if s.raw == nil {
		copy(row, s.data[part*c.cols:])
		return row
	}
	if err := quant.Dequantize(row, quant.F32, s.raw[4*part*c.cols:][:4*c.cols]); err != nil {
		panic("moe: float32 does not convert to float32: " + err.Error()) // an invariant of ours
	}
	return row
}

// ImportanceSource says what an Importance was collected from.
type ImportanceSource struct {
	Datasets          []string
	Chunks, ChunkSize int // pieces of text, and tokens in each
}

// WriteGGUF writes what was collected as llama.cpp's tools read and write it: for
// each tensor NAME.in_sum2 (parts, columns) and NAME.counts (parts, 1); and
// NAME.in_sum (parts, columns), which they pass over.
func (im *Importance) WriteGGUF(dst io.Writer, from ImportanceSource) error {
	im.mu.Lock()
	defer im.mu.Unlock()
	w := gguf.NewWriter()
	w.SetKV("general.type", "imatrix")
	w.SetKV("imatrix.datasets", append([]string{}, from.Datasets...))
	w.SetKV("imatrix.chunk_count", uint32(from.Chunks))
	w.SetKV("imatrix.chunk_size", uint32(from.ChunkSize))
	for _, name := range slices.Sorted(maps.Keys(im.tensors)) {
		c := im.tensors[name]
		add := func(suffix string, cols int, row func(part int) []float32) {
			size := int64(4 * cols * len(c.counts))
			w.AddTensor(name+suffix, uint32(quant.F32), []uint64{uint64(cols), uint64(len(c.counts))}, size, func(w io.Writer) error {
				buf := make([]byte, 4*cols)
				for p := range c.counts {
					if err := quant.Quantize(buf, quant.F32, row(p), nil); err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
					if _, err := w.Write(buf); err != nil {
						return err
					}
				}
				return nil
			})
		}
		add(".in_sum2", c.cols, func(p int) []float32 { return c.row(&c.square, p) })
		if !c.plain.none() {
			add(".in_sum", c.cols, func(p int) []float32 { return c.row(&c.plain, p) })
		}
		add(".counts", 1, func(p int) []float32 { return c.counts[p : p+1] })
	}
	_, err := w.WriteTo(dst)
	return err
}

// Close releases the file that OpenImportance mapped.
func (im *Importance) Close() error {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.tensors = nil
	if im.close == nil {
		return nil
	}
	f := im.close
	im.close = nil
	return f()
}
