//go:build !purego

package kernels

import "unsafe"

var tileForms = [kinds]tileForm{
	kindQ4K:  {sub: 32, bits: 5, super: true},
	kindQ8_0: {sub: 32, bits: 8, bias: 128},
}

// tile turns n blocks of rows r to r+15, from block i, into tiles at dst.
func (w *Weights) tile(dst *byte, r, i, n int) {
	src := &w.Data[r*w.Stride+i*w.Format.Bytes]
	switch w.Format.kind {
	case kindQ4K:
		tileQ4K(dst, src, w.Stride, n)
	case kindQ8_0:
		tileQ8_0(dst, src, w.Stride, n)
	default:
		w.fill(dst, r, i, n)
	}
}

func mulQ8AVX512(dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
	mulTiles(mulTileAVX512, dst, ld, w, x, cols, n, s)
}

func mulTileAVX512(f tileForm, min bool, dst *float32, tile *byte, blocks int, q *int8, d *float32, sums *int16, cols *int, n int) {
	if f.super {
		if f.sub == 32 {
			mulSuper32AVX512(dst, tile, blocks, q, d, sums, cols, n, f.bias != 0, min)
		} else {
			mulSuper16AVX512(dst, tile, blocks, q, d, sums, cols, n, f.bias != 0, min)
		}
		return
	}
	corr := int(uint16(-f.bias)) * 0x10001
	if f.sub == 32 {
		mulSmall32AVX512(dst, tile, blocks, q, d, sums, cols, n, corr, min)
	} else {
		mulSmall16AVX512(dst, tile, blocks, q, d, sums, cols, n, corr, min)
	}
}

// prefetch asks for the bytes lo..hi-1 after the start of row r. It is a hint: they
// need not be there. Hardware follows one stream a page; 16 rows are 16 streams.
func (w *Weights) prefetch(r, lo, hi int) {
	tilePrefetch(unsafe.SliceData(w.Data), r*w.Stride+lo, min(r*w.Stride+hi, len(w.Data)))
}
