package kernels

// The integer forms. Every quantised format unpacks exactly into one of two
// shapes: small integers with scales beside them. A product with quantised
// activations is then exact in int32 up to one float step per block, so the
// order in which an implementation adds the integers does not matter.

// Super is a super-block of 256 weights (K-quants, i-quants, ternary types):
//
//	w[i] = float32(float32(D*Scale[i/16]) * Q[i]) - float32(DMin*Min[i/16])
//
// Formats whose sub-blocks are 32 wide write each scale twice. Formats without
// minima leave Min and DMin zero and say so in their table row.
type Super struct {
	Q       [256]int8
	Scale   [16]int16 // |Scale| <= 255
	Min     [16]int16
	D, DMin float32
}

// Small is a block of 32 weights (q4_0, q5_1, q8_0, mxfp4, ...):
//
//	w[i] = float32(D[i/16]*Q[i]) + M
//
// Formats with one scale per 32 write it to both halves; nvfp4 has one per 16.
type Small struct {
	Q [32]int8
	D [2]float32
	M float32
}

// Q8 is one row of activations in 8 bits, in blocks of Block (32 or 256) values:
//
//	x[i] ~ D[i/Block] * Q[i],  Q in -127..127
//
// Sums holds the sum of each 16 consecutive Q.
type Q8 struct {
	Block int
	Q     []int8    // (n)
	D     []float32 // (n/Block)
	Sums  []int16   // (n/16)
}
