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

// tileAVX512 turns n blocks of rows r to r+15, from block i, into tiles at dst.
func (w *Weights) tileAVX512(s *tileScratch, dst *byte, r, i, n int) {
	if w.Format.kind == kindNVFP4 {
		i, n = i/2, n/2 // a block of nvfp4 is two of the activations'
	}
	src, stride := &w.Data[r*w.Stride+i*w.Format.Bytes], w.Stride
	switch w.Format.kind {
	case kindQ4_0:
		tileQ4_0AVX512(dst, src, stride, n)
	case kindQ4_1:
		tileQ4_1AVX512(dst, src, stride, n)
	case kindQ5_0:
		tileQ5_0AVX512(dst, src, stride, n)
	case kindQ5_1:
		tileQ5_1AVX512(dst, src, stride, n)
	case kindQ8_0:
		tileQ8_0AVX512(dst, src, stride, n)
	case kindIQ4NL:
		tileIQ4NLAVX512(dst, src, stride, n)
	case kindMXFP4:
		tileMXFP4AVX512(dst, src, stride, n)
	case kindMXFP4Hub:
		tileMXFP4HubAVX512(dst, src, stride, n, &w.Scale8[r*w.ScaleStride+i], w.ScaleStride)
	case kindNVFP4:
		tileNVFP4AVX512(dst, src, stride, n)
	case kindQ2K:
		tileQ2KAVX512(dst, src, stride, n)
	case kindQ3K:
		tileQ3KAVX512(dst, src, stride, n)
	case kindQ4K:
		tileQ4KAVX512(dst, src, stride, n)
	case kindQ5K:
		tileQ5KAVX512(dst, src, stride, n)
	case kindQ6K:
		tileQ6KAVX512(dst, src, stride, n)
	case kindIQ4XS:
		tileIQ4XSAVX512(dst, src, stride, n)
	case kindTQ1_0:
		tileTQ1_0AVX512(dst, src, stride, n)
	case kindTQ2_0:
		tileTQ2_0AVX512(dst, src, stride, n)
	default:
		w.expand(s, r, i, n)
		tileExpandedAVX512(dst, &s.expanded[:1][0], n*expandedSize, n)
	}
}

// tileAVX2 is tileAVX512 for AVX2.
func (w *Weights) tileAVX2(s *tileScratch, dst *byte, r, i, n int) {
	if w.Format.kind == kindNVFP4 {
		i, n = i/2, n/2 // a block of nvfp4 is two of the activations'
	}
	src, stride := &w.Data[r*w.Stride+i*w.Format.Bytes], w.Stride
	switch w.Format.kind {
	case kindQ4_0:
		tileQ4_0AVX2(dst, src, stride, n)
	case kindQ4_1:
		tileQ4_1AVX2(dst, src, stride, n)
	case kindQ5_0:
		tileQ5_0AVX2(dst, src, stride, n)
	case kindQ5_1:
		tileQ5_1AVX2(dst, src, stride, n)
	case kindQ8_0:
		tileQ8_0AVX2(dst, src, stride, n)
	case kindIQ4NL:
		tileIQ4NLAVX2(dst, src, stride, n)
	case kindMXFP4:
		tileMXFP4AVX2(dst, src, stride, n)
	case kindMXFP4Hub:
		tileMXFP4HubAVX2(dst, src, stride, n, &w.Scale8[r*w.ScaleStride+i], w.ScaleStride)
	case kindNVFP4:
		tileNVFP4AVX2(dst, src, stride, n)
	case kindQ2K:
		tileQ2KAVX2(dst, src, stride, n)
	case kindQ3K:
		tileQ3KAVX2(dst, src, stride, n)
	case kindQ4K:
		tileQ4KAVX2(dst, src, stride, n)
	case kindQ5K:
		tileQ5KAVX2(dst, src, stride, n)
	case kindQ6K:
		tileQ6KAVX2(dst, src, stride, n)
	case kindIQ4XS:
		tileIQ4XSAVX2(dst, src, stride, n)
	case kindTQ1_0:
		tileTQ1_0AVX2(dst, src, stride, n)
	case kindTQ2_0:
		tileTQ2_0AVX2(dst, src, stride, n)
	default:
		w.expand(s, r, i, n)
		tileExpandedAVX2(dst, &s.expanded[:1][0], n*expandedSize, n)
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
func (w *Weights) dotAVX512(s *tileScratch, dst *float32, r int, x *Q8, c, ahead int) {
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
		w.dotSmall(s, dst, r, x, c)
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
		w.dotSuper(s, dst, r, x, c)
	case kindIQ4XS:
		dotIQ4XSAVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindTQ1_0:
		dotTQ1_0AVX512(dst, src, stride, n, ahead, q, d, sums)
	case kindTQ2_0:
		dotTQ2_0AVX512(dst, src, stride, n, ahead, q, d, sums)
	default:
		w.dotRowsAVX512(s, dst, r, x, c, ahead)
	}
}

// superRows is how many rows of super-blocks products that read row by row take at
// once, superBlocks how many blocks of each: what they leave is half of a first cache.
const (
	superRows   = 8
	superRoom   = superRows * (64 + 8)
	superBlocks = 16 << 10 / superRoom
)

// dotSuper is dotAVX512 for super-blocks that are read row by row.
func (w *Weights) dotSuper(s *tileScratch, dst *float32, r int, x *Q8, c int) {
	blocks := w.K / 256
	parts := (blocks + superBlocks - 1) / superBlocks
	room := aligned(&s.rowSums, superBlocks*superRoom)
	sums := unsafe.Slice(dst, tileRows)
	clear(sums)
	for r0 := r; r < r0+tileRows; r += superRows {
		ask, end, jump := w.ask(s, r)
		for p := range parts {
			i, n := p*blocks/parts, (p+1)*blocks/parts-p*blocks/parts
			v := c*w.K + 256*i
			dotQ6KAVX512(&sums[r-r0], &w.Data[r*w.Stride+i*w.Format.Bytes], w.Stride, n,
				ask+uintptr(superRows*i*w.Format.Bytes), end, jump, &x.Q[v], &x.D[v/256], &x.Sums[v/16], room)
		}
	}
}

// straightAVX512 reports whether dotAVX512 knows w: what is read row by row has groups of
// 16 blocks.
func (w *Weights) straightAVX512() bool { return w.Format.kind != kindQ8_0 || w.K >= 16*32 }

// dotSmall is dotAVX512 for blocks of 32 values that are read row by row.
func (w *Weights) dotSmall(s *tileScratch, dst *float32, r int, x *Q8, c int) {
	const group, groupRoom, columns = 16, tileRows * (64 + 32), 2 * tileRows * 64 // of a group of blocks
	n := w.K / 32
	ask, end, jump := w.ask(s, r)
	room := aligned(&s.rowSums, columns+(n+group-1)/group*groupRoom)
	dotQ8_0AVX512(dst, &w.Data[r*w.Stride], w.Stride, n, ask, end, jump, &x.Q[c*w.K], &x.D[c*n], &x.Sums[c*2*n], room)
}

// askAhead is that of _asm/dot_row.go.
const askAhead = 12288

// ask says what products that read rows from r on row by row ask for: addresses from
// the first on, beyond the second those jump bytes later, where the next product is.
func (w *Weights) ask(s *tileScratch, r int) (from, end uintptr, jump int) {
	data := uintptr(unsafe.Pointer(&w.Data[0]))
	from, end = data+uintptr(r*w.Stride+askAhead), data+uintptr(w.Rows*w.Stride)
	if s.asked != nil {
		jump = int(uintptr(unsafe.Pointer(s.asked)) - end)
	}
	return from, end, jump
}

// dotAVX2 is dotAVX512 for AVX2. Blocks of 256 values need more than 16 registers, so
// scales and floats wait in s.
func (w *Weights) dotAVX2(s *tileScratch, dst *float32, r int, x *Q8, c, ahead int) {
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
		w.dotRowsAVX2(s, dst, r, x, c, ahead)
	}
}

// dotRowsAVX512 is dotAVX512 for codebook formats, whose points are looked up row by
// row and stay rows.
func (w *Weights) dotRowsAVX512(s *tileScratch, dst *float32, r int, x *Q8, c, ahead int) {
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
		panic("kernels: no product of " + w.Format.Name)
	}
}

// dotRowsAVX2 is dotRowsAVX512 for AVX2.
func (w *Weights) dotRowsAVX2(s *tileScratch, dst *float32, r int, x *Q8, c, ahead int) {
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
		panic("kernels: no product of " + w.Format.Name)
	}
}

// A CPU's maker decides between two forms of what AVX-512 computes: vpmulld is one
// instruction within AMD's CPUs and two within Intel's.
func mulQ8AVX512(amd bool) func(dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
	tiles := &tileKernel{limitReadOf(limitReadAVX512), func(f tileForm) (tiles, columns int) {
		if f.super {
			return 1, 8
		}
		return 2, 6
	}, (*Weights).tileAVX512, (*Weights).straightAVX512, (*Weights).dotAVX512, nil}
	tiles.mul = func(f tileForm, min bool, dst *float32, tile *byte, size, blocks int, q *int8, d *float32, sums *int16, cols *int, n int, first bool, a asking) {
		if f.super {
			switch corr := f.bias != 0; {
			case f.bits == 4 && f.sub == 32 && !amd:
				mulSuper32x4AVX512(dst, tile, blocks, q, d, sums, cols, n, first, a.from, a.to, a.step, corr, min)
			case f.bits == 4 && f.sub == 16:
				mulSuper16x4AVX512(dst, tile, blocks, q, d, sums, cols, n, first, a.from, a.to, a.step, corr, min)
			case f.sub == 32:
				mulSuper32x8AVX512(dst, tile, blocks, q, d, sums, cols, n, first, a.from, a.to, a.step, corr, min)
			default:
				mulSuper16x8AVX512(dst, tile, blocks, q, d, sums, cols, n, first, a.from, a.to, a.step, corr, min)
			}
			return
		}
		tile2 := (*byte)(unsafe.Add(unsafe.Pointer(tile), size))
		if f.sub == 32 {
			mulSmall32AVX512(dst, tile, blocks, q, d, sums, cols, n, first, a.from, a.to, a.step, tile2, min)
		} else { // which has no minima
			mulSmall16AVX512(dst, tile, blocks, q, d, sums, cols, n, first, a.from, a.to, a.step, tile2, f.corr())
		}
	}
	return func(dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
		mulTiles(tiles, dst, ld, w, x, cols, n, s)
	}
}

func mulQ8AVX2(dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
	mulTiles(&tilesAVX2, dst, ld, w, x, cols, n, s)
}

var tilesAVX2 = tileKernel{limitReadOf(limitReadAVX2), func(tileForm) (tiles, columns int) { return 1, 4 }, (*Weights).tileAVX2, func(*Weights) bool { return true }, (*Weights).dotAVX2, func(f tileForm, min bool, dst *float32, tile *byte, _, blocks int, q *int8, d *float32, sums *int16, cols *int, n int, first bool, a asking) {
	a.step /= 2 // it goes through the tile once for each eight rows
	if f.super {
		switch corr := f.bias != 0; {
		case f.bits <= 5 && f.sub == 32:
			mulSuper32x5AVX2(dst, tile, blocks, q, d, sums, cols, n, first, a.from, a.to, a.step, corr, min)
		case f.bits <= 5:
			mulSuper16x5AVX2(dst, tile, blocks, q, d, sums, cols, n, first, a.from, a.to, a.step, corr, min)
		case f.bits == 6:
			mulSuper16x6AVX2(dst, tile, blocks, q, d, sums, cols, n, first, a.from, a.to, a.step, corr, min)
		default:
			mulSuper16x8AVX2(dst, tile, blocks, q, d, sums, cols, n, first, a.from, a.to, a.step, corr, min)
		}
		return
	}
	switch {
	case f.sub == 16: // and 5 bits, no minima
		mulSmall16x5AVX2(dst, tile, blocks, q, d, sums, cols, n, first, a.from, a.to, a.step, f.corr())
	case f.bits == 5:
		mulSmall32x5AVX2(dst, tile, blocks, q, d, sums, cols, n, first, a.from, a.to, a.step, min)
	default:
		mulSmall32x8AVX2(dst, tile, blocks, q, d, sums, cols, n, first, a.from, a.to, a.step, min)
	}
}}
