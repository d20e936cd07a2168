// Package quant knows the element types of weight tensors: their names and
// numbers, how their blocks lie in memory, the values that they stand for, and how
// to find good blocks for given values.
//
// A [Type] names a format. [Dequantize] gives the values of a row exactly as the
// format defines them, [Quantize] looks for the blocks that come nearest to given
// values, optionally weighted by the importance of each column, and [Check]
// finds blocks whose scales are not numbers. A [Recipe] ("q4_k_m") chooses a type
// for each tensor of a model.
//
// Products are not defined here: every block format unpacks exactly into one of
// two integer forms of package kernels, which does the arithmetic.
package quant
