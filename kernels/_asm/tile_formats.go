package main

import "github.com/mmcloughlin/avo/build"

// The formats whose tiles are made by assembly. Products with one column have
// kernels of their own where the format is common, or tiles too slow for them.
var layouts = []struct {
	layout
	stem string
	one  bool
}{
	{q4_0, "q4_0", true},
	{q4_1, "q4_1", true},
	{q5_0, "q5_0", true},
	{q5_1, "q5_1", true},
	{q8_0, "q8_0", true},
	{iq4NL, "iq4_nl", true},
	{mxfp4, "mxfp4", true},
	{mxfp4Hub, "mxfp4_hub", true},
	{nvfp4, "nvfp4", true},
	{q2K, "q2_k", true},
	{q3K, "q3_k", true},
	{q4K, "q4_k", true},
	{q5K, "q5_k", true},
	{q6K, "q6_k", true},
	{iq4XS, "iq4_xs", true},
	{tq1_0, "tq1_0", true},
	{tq2_0, "tq2_0", true},
	{expanded, "expanded", true},
}

// tileStems returns the stems of tiles and of products of tiles.
func tileStems() []stem {
	stems := []stem{
		{"tile_prefetch", tilePrefetch},
		{"tile_super16_avx512", mulSuperAVX512(16)},
		{"tile_super32_avx512", mulSuperAVX512(32)},
		{"tile_small16_avx512", mulSmallAVX512(16)},
		{"tile_small32_avx512", mulSmallAVX512(32)},
		{"tile_super32x5_avx2", mulSuperAVX2(32, 5)},
		{"tile_super16x5_avx2", mulSuperAVX2(16, 5)},
		{"tile_super16x6_avx2", mulSuperAVX2(16, 6)},
		{"tile_super16x8_avx2", mulSuperAVX2(16, 8)},
		{"tile_small32x5_avx2", mulSmallAVX2(32, 5)},
		{"tile_small32x8_avx2", mulSmallAVX2(32, 8)},
		{"tile_small16x5_avx2", mulSmallAVX2(16, 5)},
	}
	for _, l := range layouts {
		stems = append(stems, stem{"tile_" + l.stem, func(c *build.Context) {
			l.tile(c)
		}})
		if l.one {
			stems = append(stems, stem{"dot_" + l.stem, l.dots})
		}
	}
	return append(stems, expandStems()...)
}
