package main

// The formats, each in a stem for tiles and one for products with one column.
var layouts = []struct {
	layout
	stem string
}{
	{q4_0, "q4_0"},
	{q4_1, "q4_1"},
	{q5_0, "q5_0"},
	{q5_1, "q5_1"},
	{q8_0, "q8_0"},
	{iq4NL, "iq4_nl"},
	{mxfp4, "mxfp4"},
	{mxfp4Hub, "mxfp4_hub"},
	{nvfp4, "nvfp4"},
	{q2K, "q2_k"},
	{q3K, "q3_k"},
	{q4K, "q4_k"},
	{q5K, "q5_k"},
	{q6K, "q6_k"},
	{iq4XS, "iq4_xs"},
	{tq1_0, "tq1_0"},
	{tq2_0, "tq2_0"},
}

// tileStems returns the stems of tiles and of products of tiles.
func tileStems() []stem {
	stems := []stem{
		{"tile_prefetch", tilePrefetch},
		{"tile_sums", tileSums},
		{"tile_super16x4_avx512", mulSuperAVX512(16, 4)},
		{"tile_super16x8_avx512", mulSuperAVX512(16, 8)},
		{"tile_super32x4_avx512", mulSuperAVX512(32, 4)},
		{"tile_super32x8_avx512", mulSuperAVX512(32, 8)},
		{"tile_small16_avx512", mulSmall16AVX512},
		{"tile_small32_avx512", mulSmall32AVX512},
		{"tile_super32x5_avx2", mulSuperAVX2(32, 5)},
		{"tile_super16x5_avx2", mulSuperAVX2(16, 5)},
		{"tile_super16x6_avx2", mulSuperAVX2(16, 6)},
		{"tile_super16x8_avx2", mulSuperAVX2(16, 8)},
		{"tile_small32x5_avx2", mulSmall32AVX2(5)},
		{"tile_small32x8_avx2", mulSmall32AVX2(8)},
		{"tile_small16x5_avx2", mulSmall16AVX2(5)},
	}
	stems = append(stems, stem{"tile_expanded", expanded.tiles})
	for _, l := range layouts {
		stems = append(stems, stem{"tile_" + l.stem, l.tiles})
		stems = append(stems, stem{"dot_" + l.stem, l.dots})
	}
	return append(stems, lookupStems()...)
}
