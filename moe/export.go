package moe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/quant"
	"github.com/coterie-go/coterie/tensor"
)

// ExportTensor describes a weight matrix that is about to be written.
type ExportTensor struct {
	Name       string // GGUF name, such as blk.3.ffn_down_exps.weight
	Layer      int    // -1 for those outside layers
	Layers     int
	Experts    int // of the model
	Rows, Cols int // of one matrix; expert tensors hold Experts of them
	Source     quant.Type
}

// Export says how ExportGGUF writes a model.
type Export struct {
	// Type chooses a matrix's type; nil keeps the source's, F32 for those that
	// GGUF has no number for. Norms, biases and routers are always F32. A type
	// whose block does not divide the row is replaced by F16.
	Type func(ExportTensor) quant.Type

	// Importance returns what is known of the activations of a matrix, of an expert's
	// or a head's where a tensor holds several; zero Columns for nothing.
	Importance func(name string, part int) quant.Columns

	FileType uint32                  // general.file_type, llama.cpp's number for the mix
	Progress func(done, total int64) // bytes written; called from one goroutine
	Threads  int                     // 0 for GOMAXPROCS
}

// ExportGGUF writes the checkpoint at path as one GGUF file, in llama.cpp's names,
// prediction layers included. Memory is bounded by a few rows of the largest
// matrix (one expert, where the source stores it transposed).
func ExportGGUF(ctx context.Context, dst io.Writer, path string, e Export) error {
	c, err := openCheckpoint(path)
	if err != nil {
		return err
	}
	defer c.close()
	x := &exporter{checkpoint: c, Export: e, ctx: ctx, w: gguf.NewWriter()}
	if x.Threads <= 0 {
		x.Threads = runtime.GOMAXPROCS(0)
	}
	if c.hub {
		err = x.fromHub()
	} else {
		err = x.fromGGUF()
	}
	if err != nil {
		return err
	}
	_, err = x.w.WriteTo(dst)
	return err
}

type exporter struct {
	*checkpoint
	Export
	ctx         context.Context
	w           *gguf.Writer
	done, total int64
}

// fromGGUF rewrites a GGUF file's tensors under the same metadata.
func (x *exporter) fromGGUF() error {
	for _, key := range slices.Sorted(maps.Keys(x.kv)) {
		if !strings.HasPrefix(key, "split.") {
			x.w.SetKV(key, x.kv[key])
		}
	}
	x.w.SetKV("general.file_type", x.FileType)
	x.w.SetKV("general.quantization_version", uint32(2))
	var errs []error
	for _, name := range x.names {
		v, _, err := x.find(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, x.copyTensor(v))
	}
	return errors.Join(errs...)
}

func (x *exporter) copyTensor(v tensorView) error {
	f := v.typ.Format()
	rows, k := 1, v.shape[len(v.shape)-1]
	for _, n := range v.shape[:len(v.shape)-1] {
		rows *= n
	}
	if len(v.shape) == 1 || f == nil || plain(v.name) {
		x.raw(v.name, v.typ, v.shape, v.data)
		return nil
	}
	w := kernels.Weights{Format: f, Rows: rows, K: k, Data: v.data, Stride: k / f.Block * f.Bytes}
	var parts []tensor.Linear
	lead := v.shape[:len(v.shape)-2]
	n := 1
	for _, d := range lead {
		n *= d
	}
	for i := range n {
		parts = append(parts, tensor.Linear{Weights: w.Slice(i*rows/n, (i+1)*rows/n)})
	}
	x.matrix(v.name, v.typ, parts, len(v.shape) == 3, nil)
	return nil
}

// plain reports whether a matrix is kept in float32: small, and sensitive.
func plain(name string) bool {
	return strings.Contains(name, "ffn_gate_inp") || strings.Contains(name, "_norm.") || strings.HasSuffix(name, ".bias") ||
		strings.Contains(name, "ssm_conv1d") || strings.HasPrefix(name, "rope_")
}

// raw adds a tensor's bytes as they are; half-precision vectors become float32.
func (x *exporter) raw(name string, t quant.Type, shape []int, data []byte) {
	x.add(name, t, shape, int64(len(data)), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// floats adds a tensor in float32.
func (x *exporter) floats(name string, v []float32, shape ...int) {
	if v == nil {
		return
	}
	if len(shape) == 0 {
		shape = []int{len(v)}
	}
	data := make([]byte, 4*len(v))
	if err := quant.Quantize(data, quant.F32, v, nil); err != nil {
		panic("moe: float32 does not convert to float32: " + err.Error()) // an invariant of ours
	}
	x.raw(name, quant.F32, shape, data)
}

func (x *exporter) add(name string, t quant.Type, shape []int, size int64, data func(io.Writer) error) {
	ne := make([]uint64, len(shape))
	for i, n := range shape {
		ne[len(shape)-1-i] = uint64(n)
	}
	x.total += size
	x.w.AddTensor(name, uint32(t), ne, size, func(w io.Writer) error {
		if err := x.ctx.Err(); err != nil {
			return err
		}
		before := x.done
		if err := data(w); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		x.progress(before + size)
		return nil
	})
}

func (x *exporter) progress(done int64) {
	x.done = done
	if x.Progress != nil {
		x.Progress(done, x.total)
	}
}

// matrix adds linear maps of one shape, one after another, in the chosen type.
// order, if not nil, gives for each row of a part the row of the source.
func (x *exporter) matrix(name string, source quant.Type, parts []tensor.Linear, stacked bool, order func(row int) int) {
	out, in := parts[0].Out(), parts[0].In()
	t := x.typeOf(name, source, out, in)
	shape := []int{out, in}
	if stacked {
		shape = []int{len(parts), out, in}
	}
	row := int64(t.RowBytes(in))
	x.add(name, t, shape, row*int64(out)*int64(len(parts)), func(w io.Writer) error {
		for e := range parts {
			if err := x.writePart(w, name, t, &parts[e], e, order); err != nil {
				return err
			}
		}
		return nil
	})
}

// typeOf returns the type that a matrix is written in.
func (x *exporter) typeOf(name string, source quant.Type, out, in int) quant.Type {
	t := source
	if x.Type != nil {
		info := ExportTensor{Name: name, Layer: -1, Layers: len(x.config.Layers), Experts: x.config.Router.Experts, Rows: out, Cols: in, Source: source}
		fmt.Sscanf(name, "blk.%d.", &info.Layer)
		t = x.Type(info)
	}
	if plain(name) || t >= 1<<16 {
		t = quant.F32
	}
	if source == quant.MXFP4Hub {
		t = quant.MXFP4 // the same values, bit for bit
	}
	if in%t.BlockLen() != 0 {
		t = quant.F16
	}
	return t
}

// writePart converts one matrix in slabs of rows, in parallel.
func (x *exporter) writePart(w io.Writer, name string, t quant.Type, l *tensor.Linear, e int, order func(int) int) error {
	out, in := l.Out(), l.In()
	var turned []float32 // the whole matrix, if the source has it transposed
	if l.Transposed {
		turned = make([]float32, out*in)
		col := make([]float32, out)
		for i := range in {
			l.Row(col, i)
			for o, v := range col {
				turned[o*in+i] = v
			}
		}
	}
	var importance quant.Columns
	if x.Importance != nil {
		importance = x.Importance(name, e)
		if n := len(importance.Square); n != 0 && n != in {
			return fmt.Errorf("%w: importance: want %d columns, found %d", ErrTensor, in, n)
		}
	}
	row := t.RowBytes(in)
	each := max(1, min(1<<20/(4*in), (out+x.Threads-1)/x.Threads))
	slab := make([]byte, each*x.Threads*row)
	errs := make([]error, x.Threads)
	for from := 0; from < out; from += each * x.Threads {
		if err := x.ctx.Err(); err != nil {
			return err
		}
		n := min(each*x.Threads, out-from)
		var wg sync.WaitGroup
		for k := range (n + each - 1) / each {
			wg.Go(func() {
				src := make([]float32, in)
				for r := k * each; r < min((k+1)*each, n); r++ {
					i := from + r
					if order != nil {
						i = order(i)
					}
					if l.Format == kernels.MXFP4Hub && t == quant.MXFP4 {
						repackMXFP4(slab[r*row:][:row], l.Data[i*l.Stride:], l.Scale8[i*l.ScaleStride:])
						continue
					}
					if turned != nil {
						copy(src, turned[i*in:][:in])
					} else {
						l.Row(src, i)
					}
					if err := quant.QuantizeFor(slab[r*row:][:row], t, src, importance); err != nil && errs[k] == nil {
						errs[k] = err
					}
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		if _, err := w.Write(slab[:n*row]); err != nil {
			return err
		}
		x.progress(x.done + int64(n*row))
	}
	return nil
}

// repackMXFP4 writes a row of the hub's MXFP4 in GGUF's order: the scale before its
// 16 bytes, whose low halves are the first 16 values and high halves the others.
func repackMXFP4(dst, nibbles, scales []byte) {
	for b := range len(dst) / 17 {
		d, src := dst[17*b:][:17], nibbles[16*b:][:16]
		d[0] = scales[b]
		value := func(i int) byte { return src[i/2] >> (i % 2 * 4) & 15 }
		for j := range 16 {
			d[1+j] = value(j) | value(j+16)<<4
		}
	}
}
