//go:build !purego

package kernels

import "unsafe"

// Codebook formats are looked up row by row into records of one form.
var expandedForm = tileForm{super: true, sub: 16, bits: 8, bias: 128}

var tileForms = [kinds]tileForm{
	kindQ4_0:     {sub: 32, bits: 5, bias: 8},
	kindQ4_1:     {sub: 32, bits: 5},
	kindQ5_0:     {sub: 32, bits: 5, bias: 16},
	kindQ5_1:     {sub: 32, bits: 5},
	kindQ8_0:     {sub: 32, bits: 8, bias: 128},
	kindIQ4NL:    {sub: 32, bits: 8, bias: 128},
	kindMXFP4:    {sub: 32, bits: 5, bias: 12},
	kindMXFP4Hub: {sub: 32, bits: 5, bias: 12},
	kindNVFP4:    {sub: 16, bits: 5, bias: 12},
	kindQ2K:      {super: true, sub: 16, bits: 4},
	kindQ3K:      {super: true, sub: 16, bits: 4, bias: 4},
	kindQ4K:      {super: true, sub: 32, bits: 4},
	kindQ5K:      {super: true, sub: 32, bits: 5},
	kindQ6K:      {super: true, sub: 16, bits: 6, bias: 32},
	kindIQ1S:     expandedForm,
	kindIQ1M:     expandedForm,
	kindIQ2XXS:   expandedForm,
	kindIQ2XS:    expandedForm,
	kindIQ2S:     expandedForm,
	kindIQ3XXS:   expandedForm,
	kindIQ3S:     expandedForm,
	kindIQ4XS:    {super: true, sub: 32, bits: 8, bias: 128},
	kindTQ1_0:    {super: true, sub: 32, bits: 4, bias: 1},
	kindTQ2_0:    {super: true, sub: 32, bits: 4, bias: 1},
}

// tile turns n blocks of rows r to r+15, from block i, into tiles at dst.
func (w *Weights) tile(s *tileScratch, dst *byte, r, i, n int) {
	if w.Format.kind == kindNVFP4 {
		i, n = i/2, n/2 // a block of nvfp4 is two of the activations'
	}
	src, stride := &w.Data[r*w.Stride+i*w.Format.Bytes], w.Stride
	switch w.Format.kind {
	case kindQ4_0:
		tileQ4_0(dst, src, stride, n)
	case kindQ4_1:
		tileQ4_1(dst, src, stride, n)
	case kindQ5_0:
		tileQ5_0(dst, src, stride, n)
	case kindQ5_1:
		tileQ5_1(dst, src, stride, n)
	case kindQ8_0:
		tileQ8_0(dst, src, stride, n)
	case kindIQ4NL:
		tileIQ4NL(dst, src, stride, n)
	case kindMXFP4:
		tileMXFP4(dst, src, stride, n)
	case kindMXFP4Hub:
		tileMXFP4Hub(dst, src, stride, n, &w.Scale8[r*w.ScaleStride+i], w.ScaleStride)
	case kindNVFP4:
		tileNVFP4(dst, src, stride, n)
	case kindQ2K:
		tileQ2K(dst, src, stride, n)
	case kindQ3K:
		tileQ3K(dst, src, stride, n)
	case kindQ4K:
		tileQ4K(dst, src, stride, n)
	case kindQ5K:
		tileQ5K(dst, src, stride, n)
	case kindQ6K:
		tileQ6K(dst, src, stride, n)
	case kindIQ4XS:
		tileIQ4XS(dst, src, stride, n)
	case kindTQ1_0:
		tileTQ1_0(dst, src, stride, n)
	case kindTQ2_0:
		tileTQ2_0(dst, src, stride, n)
	default:
		w.expand(s, r, i, n)
		tileExpanded(dst, &s.expanded[:1][0], n*expandedSize, n)
	}
}

// expand turns n blocks of rows r to r+15 of a codebook format, from block i, into
// records of expanded, those of a row together.
func (w *Weights) expand(s *tileScratch, r, i, n int) {
	size := n * expandedSize
	if cap(s.expanded) < tileRows*size {
		s.expanded = make([]byte, tileRows*size)
	}
	dst, src, stride := &s.expanded[:1][0], &w.Data[r*w.Stride+i*w.Format.Bytes], w.Stride
	switch w.Format.kind {
	case kindIQ1S:
		expandIQ1S(dst, src, stride, n, codebook(&gridIQ1[0]))
	case kindIQ1M:
		expandIQ1M(dst, src, stride, n, codebook(&gridIQ1[0]))
	case kindIQ2XXS:
		expandIQ2XXS(dst, src, stride, n, codebook(&gridIQ2XXS[0]))
	case kindIQ2XS:
		expandIQ2XS(dst, src, stride, n, codebook(&gridIQ2XS[0]))
	case kindIQ2S:
		expandIQ2S(dst, src, stride, n, codebook(&gridIQ2S[0]))
	case kindIQ3XXS:
		expandIQ3XXS(dst, src, stride, n, codebook(&gridIQ3XXS[0]))
	case kindIQ3S:
		expandIQ3S(dst, src, stride, n, codebook(&gridIQ3S[0]))
	default:
		panic("kernels: no tiles of " + w.Format.Name)
	}
}

// codebook is the address of a codebook as the assembly takes it.
func codebook[T uint16 | uint32 | uint64](grid *T) *byte { return (*byte)(unsafe.Pointer(grid)) }

// dotAVX512 sets 16 values at dst to the products of rows r to r+15 with row c of
// x, and asks for the cache lines that many bytes ahead.
// It reports whether it has a kernel for that.
func (w *Weights) dotAVX512(s *tileScratch, dst *float32, r int, x *Q8, c, ahead int) bool {
	src, stride, n := &w.Data[r*w.Stride], w.Stride, w.K/w.Format.Block
	q, d, sums := &x.Q[c*w.K], &x.D[c*(w.K/x.Block)], &x.Sums[c*(w.K/16)]
	switch w.Format.kind {
	case kindQ4_0:
		dotQ4_0AVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindQ4_1:
		dotQ4_1AVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindQ5_0:
		dotQ5_0AVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindQ5_1:
		dotQ5_1AVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindQ8_0:
		dotQ8_0AVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindIQ4NL:
		dotIQ4NLAVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindMXFP4:
		dotMXFP4AVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindMXFP4Hub:
		dotMXFP4HubAVX512(dst, src, stride, n, ahead, q, d, sums, &w.Scale8[r*w.ScaleStride], w.ScaleStride)
	case kindNVFP4:
		dotNVFP4AVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindQ2K:
		dotQ2KAVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindQ3K:
		dotQ3KAVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindQ4K:
		dotQ4KAVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindQ5K:
		dotQ5KAVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindQ6K:
		dotQ6KAVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindIQ4XS:
		dotIQ4XSAVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindTQ1_0:
		dotTQ1_0AVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindTQ2_0:
		dotTQ2_0AVX512(dst, src, stride, n, ahead, q, d, sums)
	default:
		return w.dotRowsAVX512(s, dst, r, x, c, ahead)
	}
	return true
}

// dotAVX2 is dotAVX512 for AVX2. Blocks of 256 values need more than 16 registers, so
// scales and floats wait in s.
func (w *Weights) dotAVX2(s *tileScratch, dst *float32, r int, x *Q8, c, ahead int) bool {
	src, stride, n := &w.Data[r*w.Stride], w.Stride, w.K/w.Format.Block
	q, d, sums := &x.Q[c*w.K], &x.D[c*(w.K/x.Block)], &x.Sums[c*(w.K/16)]
	switch w.Format.kind {
	case kindQ4_0:
		dotQ4_0AVX2(dst, src, stride, n, ahead, q, d, sums)
	case kindQ4_1:
		dotQ4_1AVX2(dst, src, stride, n, ahead, q, d, sums)
	case kindQ5_0:
		dotQ5_0AVX2(dst, src, stride, n, ahead, q, d, sums)
	case kindQ5_1:
		dotQ5_1AVX2(dst, src, stride, n, ahead, q, d, sums)
	case kindQ8_0:
		dotQ8_0AVX2(dst, src, stride, n, ahead, q, d, sums)
	case kindIQ4NL:
		dotIQ4NLAVX2(dst, src, stride, n, ahead, q, d, sums)
	case kindMXFP4:
		dotMXFP4AVX2(dst, src, stride, n, ahead, q, d, sums)
	case kindMXFP4Hub:
		dotMXFP4HubAVX2(dst, src, stride, n, ahead, q, d, sums, &w.Scale8[r*w.ScaleStride], w.ScaleStride)
	case kindNVFP4:
		dotNVFP4AVX2(dst, src, stride, n, ahead, q, d, sums)
	case kindQ2K:
		dotQ2KAVX2(dst, src, stride, n, ahead, q, d, sums, s.tiles())
	case kindQ3K:
		dotQ3KAVX2(dst, src, stride, n, ahead, q, d, sums, s.tiles())
	case kindQ4K:
		dotQ4KAVX2(dst, src, stride, n, ahead, q, d, sums, s.tiles())
	case kindQ5K:
		dotQ5KAVX2(dst, src, stride, n, ahead, q, d, sums, s.tiles())
	case kindQ6K:
		dotQ6KAVX2(dst, src, stride, n, ahead, q, d, sums, s.tiles())
	case kindIQ4XS:
		dotIQ4XSAVX2(dst, src, stride, n, ahead, q, d, sums, s.tiles())
	case kindTQ1_0:
		dotTQ1_0AVX2(dst, src, stride, n, ahead, q, d, sums, s.tiles())
	case kindTQ2_0:
		dotTQ2_0AVX2(dst, src, stride, n, ahead, q, d, sums, s.tiles())
	default:
		return w.dotRowsAVX2(s, dst, r, x, c, ahead)
	}
	return true
}

// dotRowsAVX512 is dotAVX512 for codebook formats, whose points are looked up row by
// row and stay rows.
func (w *Weights) dotRowsAVX512(s *tileScratch, dst *float32, r int, x *Q8, c, ahead int) bool {
	src, stride, n := &w.Data[r*w.Stride], w.Stride, w.K/256
	q, d, sums := &x.Q[c*w.K], &x.D[c*n], &x.Sums[c*n*16]
	switch w.Format.kind {
	case kindIQ1S:
		dotIQ1SAVX512(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ1[0]), s.tiles())
	case kindIQ1M:
		dotIQ1MAVX512(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ1[0]), s.tiles())
	case kindIQ2XXS:
		dotIQ2XXSAVX512(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ2XXS[0]), s.tiles())
	case kindIQ2XS:
		dotIQ2XSAVX512(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ2XS[0]), s.tiles())
	case kindIQ2S:
		dotIQ2SAVX512(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ2S[0]), s.tiles())
	case kindIQ3XXS:
		dotIQ3XXSAVX512(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ3XXS[0]), s.tiles())
	case kindIQ3S:
		dotIQ3SAVX512(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ3S[0]), s.tiles())
	default:
		return false
	}
	return true
}

// dotRowsAVX2 is dotRowsAVX512 for AVX2.
func (w *Weights) dotRowsAVX2(s *tileScratch, dst *float32, r int, x *Q8, c, ahead int) bool {
	src, stride, n := &w.Data[r*w.Stride], w.Stride, w.K/256
	q, d, sums := &x.Q[c*w.K], &x.D[c*n], &x.Sums[c*n*16]
	switch w.Format.kind {
	case kindIQ1S:
		dotIQ1SAVX2(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ1[0]), s.tiles())
	case kindIQ1M:
		dotIQ1MAVX2(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ1[0]), s.tiles())
	case kindIQ2XXS:
		dotIQ2XXSAVX2(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ2XXS[0]), s.tiles())
	case kindIQ2XS:
		dotIQ2XSAVX2(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ2XS[0]), s.tiles())
	case kindIQ2S:
		dotIQ2SAVX2(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ2S[0]), s.tiles())
	case kindIQ3XXS:
		dotIQ3XXSAVX2(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ3XXS[0]), s.tiles())
	case kindIQ3S:
		dotIQ3SAVX2(dst, src, stride, n, ahead, q, d, sums, codebook(&wordsIQ3S[0]), s.tiles())
	default:
		return false
	}
	return true
}

func mulQ8AVX512(dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
	mulTiles(&tilesAVX512, dst, ld, w, x, cols, n, s)
}

var tilesAVX512 = tileKernel{limitReadOf(limitReadAVX512), 8, (*Weights).dotAVX512, func(f tileForm, min bool, dst *float32, tile *byte, blocks int, q *int8, d *float32, sums *int16, cols *int, n int, a asking) {
	if f.super {
		switch corr := f.bias != 0; {
		case f.bits == 4 && f.sub == 32:
			mulSuper32x4AVX512(dst, tile, blocks, q, d, sums, cols, n, a.from, a.to, a.step, corr, min)
		case f.bits == 4:
			mulSuper16x4AVX512(dst, tile, blocks, q, d, sums, cols, n, a.from, a.to, a.step, corr, min)
		case f.sub == 32:
			mulSuper32x8AVX512(dst, tile, blocks, q, d, sums, cols, n, a.from, a.to, a.step, corr, min)
		default:
			mulSuper16x8AVX512(dst, tile, blocks, q, d, sums, cols, n, a.from, a.to, a.step, corr, min)
		}
		return
	}
	corr := f.corr()
	if f.sub == 32 {
		mulSmall32AVX512(dst, tile, blocks, q, d, sums, cols, n, a.from, a.to, a.step, corr, min)
	} else {
		mulSmall16AVX512(dst, tile, blocks, q, d, sums, cols, n, a.from, a.to, a.step, corr, min)
	}
}}

func mulQ8AVX2(dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
	mulTiles(&tilesAVX2, dst, ld, w, x, cols, n, s)
}

var tilesAVX2 = tileKernel{limitReadOf(limitReadAVX2), 4, (*Weights).dotAVX2, func(f tileForm, min bool, dst *float32, tile *byte, blocks int, q *int8, d *float32, sums *int16, cols *int, n int, a asking) {
	a.step /= 2 // it goes through the tile once for each eight rows
	if f.super {
		switch corr := f.bias != 0; {
		case f.bits <= 5 && f.sub == 32:
			mulSuper32x5AVX2(dst, tile, blocks, q, d, sums, cols, n, a.from, a.to, a.step, corr, min)
		case f.bits <= 5:
			mulSuper16x5AVX2(dst, tile, blocks, q, d, sums, cols, n, a.from, a.to, a.step, corr, min)
		case f.bits == 6:
			mulSuper16x6AVX2(dst, tile, blocks, q, d, sums, cols, n, a.from, a.to, a.step, corr, min)
		default:
			mulSuper16x8AVX2(dst, tile, blocks, q, d, sums, cols, n, a.from, a.to, a.step, corr, min)
		}
		return
	}
	switch corr := f.corr(); {
	case f.sub == 16: // and 5 bits
		mulSmall16x5AVX2(dst, tile, blocks, q, d, sums, cols, n, a.from, a.to, a.step, corr, min)
	case f.bits == 5:
		mulSmall32x5AVX2(dst, tile, blocks, q, d, sums, cols, n, a.from, a.to, a.step, corr, min)
	default:
		mulSmall32x8AVX2(dst, tile, blocks, q, d, sums, cols, n, a.from, a.to, a.step, corr, min)
	}
}}
