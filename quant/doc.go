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
//
// # Importance
//
// What a quantiser should keep is not the weights but the outputs, so [QuantizeFor]
// takes what is known of the activations ([Columns]): their mean squares weigh the
// errors of the columns, and their means let blocks be chosen that do not shift an
// output for all tokens alike. Package moe collects both (moe.Importance). On a
// trained model of 9 million parameters the divergence of predictions from those of
// the 16-bit weights falls by 2 to 5 % for the types of 2 to 4 bits; squares alone
// gain nothing that could be measured there.
//
// # Adding a format
//
// A format is one file and one line in each of two packages:
//
//   - in kernels, a file with its layout, which is a function that unpacks one block into
//     a [kernels.Super] (256 weights) or a [kernels.Small] (32), integers and scales
//     kept as they are; and a line in the table of formats: name, values, bytes, unpacker.
//     Every product works from there. Assembly of its own is a matter of speed.
//   - here, a file with its quantiser (one block; [Type.CanQuantize] is false without
//     one), and a line in the table of types: GGUF's number and name, where the scales
//     lie for [Check], the quantiser.
//
// A folder of golden blocks and values (COTERIE_QUANT, see TestGolden) then tests
// its values, and a budget in the tests its quantiser; a [Recipe] that uses it is one
// more line.
package quant
