package kernels

import "unsafe"

// Format says how a row of weights lies in memory and how to read it. Exactly
// one of Load, LoadScaled, Small, SmallBeside, Pair and Super is set. The formats are
// listed in formats.go; package quant gives them their names and numbers.
type Format struct {
	Name         string
	Block, Bytes int  // values and bytes of one block in the row's data
	Min          bool // minima or offsets take part in products
	Per16        bool // Small: two scales a block

	Load        func(dst []float32, src []byte)                  // float formats: exact conversion
	store       func(dst []byte, src []float32)                  // of Store
	LoadScaled  func(dst []float32, src []byte, scale []float32) // float formats with scales beside the data
	Small       func(b *Small, src []byte)                       // blocks of 32
	SmallBeside func(b *Small, src []byte, scale byte)           // blocks of 32, e8m0 scales beside the data
	Pair        func(b *[2]Small, src []byte)                    // blocks of 64
	Super       func(b *Super, src []byte)                       // super-blocks of 256
	kind        kind                                             // index into the dispatch table's kernels; 0 is the portable twin
}

// Store rounds values to F32 or F16, to the nearest, little-endian.
func (f *Format) Store(dst []byte, src []float32) {
	if f == F16 {
		active.storeF16(dst, src)
		return
	}
	f.store(dst, src)
}

// Integer reports whether products with f take activations in 8 bits, and in
// blocks of how many values.
func (f *Format) Integer() (block int, ok bool) {
	switch {
	case f.Super != nil:
		return 256, true
	case f.Small != nil || f.SmallBeside != nil || f.Pair != nil:
		return 32, true
	}
	return 0, false
}

// Weights is a view of rows of a weight matrix as they lie in a file.
type Weights struct {
	Format  *Format
	Rows, K int    // K values a row
	Data    []byte // row r starts at r*Stride
	Stride  int    // bytes from one row to the next

	// Scales that lie beside the data, for formats that have them.
	Scale8      []byte    // e8m0, (Rows, K/32): row r starts at r*ScaleStride
	Scale32     []float32 // (ceil((Row0+Rows)/128), ceil(K/128)): row r uses row (Row0+r)/128*ScaleStride
	ScaleStride int
	Row0        int // number of row 0 within the grid of Scale32
}

// Slice returns the view of rows lo..hi-1.
func (w *Weights) Slice(lo, hi int) Weights {
	s := *w
	s.Rows = hi - lo
	if s.Rows <= 0 {
		s.Data = nil
		return s
	}
	s.Data = w.Data[lo*w.Stride : (hi-1)*w.Stride+w.rowBytes()]
	if w.Scale8 != nil {
		s.Scale8 = w.Scale8[lo*w.ScaleStride : (hi-1)*w.ScaleStride+w.K/32]
	}
	s.Row0 = w.Row0 + lo
	return s
}

func (w *Weights) rowBytes() int { return w.K / w.Format.Block * w.Format.Bytes }

// row returns the bytes of row r and the scales that lie beside them.
func (w *Weights) row(r int) (data []byte, scale8 []byte, scale32 []float32) {
	data = w.Data[r*w.Stride:][:w.rowBytes()]
	if w.Scale8 != nil {
		scale8 = w.Scale8[r*w.ScaleStride:][:w.K/32]
	}
	if w.Scale32 != nil {
		scale32 = w.Scale32[(w.Row0+r)/128*w.ScaleStride:][:(w.K+127)/128]
	}
	return
}

// Row sets dst (K) to the values of row r.
func (w *Weights) Row(dst []float32, r int) {
	f := w.Format
	data, s8, s32 := w.row(r)
	dst = dst[:w.K]
	switch {
	case f.Load != nil:
		f.Load(dst, data)
	case f.LoadScaled != nil:
		f.LoadScaled(dst, data, s32)
	// A block is unpacked in the place of its values: what a Format's functions
	// get escapes, and a variable would be an allocation.
	case f.Super != nil:
		for i := 0; i < w.K; i += 256 {
			p := (*Super)(unsafe.Pointer(&dst[i : i+256][0]))
			f.Super(p, data[i/256*f.Bytes:])
			b := *p
			b.Values(dst[i : i+256])
		}
	case f.Pair != nil:
		for i := 0; i < w.K; i += 64 {
			p := (*[2]Small)(unsafe.Pointer(&dst[i : i+64][0]))
			f.Pair(p, data[i/64*f.Bytes:])
			b := *p
			b[0].Values(dst[i : i+32])
			b[1].Values(dst[i+32 : i+64])
		}
	default:
		for i := 0; i < w.K; i += 32 {
			p := (*[2]Small)(unsafe.Pointer(&dst[i : i+32][0]))
			b := *w.small(p, data, s8, i/32)
			b.Values(dst[i : i+32])
		}
	}
}

// small unpacks the 32 values from 32*i of a row into a part of room.
func (w *Weights) small(room *[2]Small, data, s8 []byte, i int) *Small {
	b := &room[0]
	switch f := w.Format; {
	case f.Small != nil:
		f.Small(b, data[i*f.Bytes:])
	case f.SmallBeside != nil:
		f.SmallBeside(b, data[i*f.Bytes:], s8[i])
	default:
		f.Pair(room, data[i/2*f.Bytes:])
		b = &room[i%2]
	}
	return b
}

// Values sets dst (256) to the weights that b stands for.
func (b *Super) Values(dst []float32) {
	for i, q := range b.Q {
		d := float32(b.D * float32(b.Scale[i/16]))
		dst[i] = float32(d*float32(q)) - float32(b.DMin*float32(b.Min[i/16]))
	}
}

// Values sets dst (32) to the weights that b stands for.
func (b *Small) Values(dst []float32) {
	for i, q := range b.Q {
		dst[i] = float32(b.D[i/16]*float32(q)) + b.M
	}
}

// Columns returns the view of columns lo..hi-1 of weights whose format has one
// value a block, or of whole blocks.
func (w *Weights) Columns(lo, hi int) Weights {
	s := *w
	f := w.Format
	if lo%f.Block != 0 || hi%f.Block != 0 || (w.Scale32 != nil && lo%128 != 0) || (w.Scale8 != nil && lo%32 != 0) {
		panic("kernels: Columns: not at a block's edge")
	}
	s.K = hi - lo
	if w.Rows > 0 {
		s.Data = w.Data[lo/f.Block*f.Bytes:][:(w.Rows-1)*w.Stride+s.rowBytes()]
	}
	if w.Scale32 != nil {
		s.Scale32 = w.Scale32[lo/128:]
	}
	if w.Scale8 != nil {
		s.Scale8 = w.Scale8[lo/32:]
	}
	return s
}

// SetRow writes float32 values, the parts one after another, to row r of weights
// in a float format.
func (w *Weights) SetRow(r int, parts ...[]float32) {
	dst := w.Data[r*w.Stride:]
	for _, x := range parts {
		w.Format.Store(dst, x)
		dst = dst[len(x)/w.Format.Block*w.Format.Bytes:]
	}
}
