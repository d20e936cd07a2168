package gguf

// ggmlSizes is what the tests give as SizeFunc: the types of the files they
// read, from the format's published block structures.
func ggmlSizes(typ uint32) (blockLen, blockBytes int, ok bool) {
	s, ok := ggmlBlocks[typ]
	return s[0], s[1], ok
}

var ggmlBlocks = map[uint32][2]int{
	0:  {1, 4},     // f32
	1:  {1, 2},     // f16
	2:  {32, 18},   // q4_0
	3:  {32, 20},   // q4_1
	6:  {32, 22},   // q5_0
	7:  {32, 24},   // q5_1
	8:  {32, 34},   // q8_0
	10: {256, 84},  // q2_K
	11: {256, 110}, // q3_K
	12: {256, 144}, // q4_K
	13: {256, 176}, // q5_K
	14: {256, 210}, // q6_K
	20: {32, 18},   // iq4_nl
	23: {256, 136}, // iq4_xs
	24: {1, 1},     // i8
	26: {1, 4},     // i32
	27: {1, 8},     // i64
	30: {1, 2},     // bf16
	39: {32, 17},   // mxfp4
}
