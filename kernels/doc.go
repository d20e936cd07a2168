// Package kernels holds the arithmetic of a forward pass: products of weights
// with activations, norms, activations functions, attention. Every kernel has a
// portable form in plain Go, and may have faster forms for an instruction set.
//
// # The contract: the same bits everywhere
//
// The portable form is the specification. Every other form returns the same
// bits, for every input but the payload of a NaN. The rules that make this
// affordable:
//
//   - float32 throughout, round to nearest even, no flushing of subnormals.
//     A multiply-add is fused exactly where a formula says fma, and nowhere else.
//   - A float dot product runs in 16 lanes: lane l holds
//     fma(w[16i+l], x[16i+l], lane l) for ascending i, starting from +0; the last
//     group is padded with zeros. The lanes are then added as a tree:
//     l += l+8, l += l+4, l += l+2, l += l+1. Sums of 16-bit, 8-bit or float
//     weights differ only in the exact conversion of w to float32.
//   - A product of block-quantised weights takes activations in 8 bits ([Q8]).
//     Inside a block the sum is an exact integer, so its order is free. Then one
//     float step per block, blocks in ascending order, starting from +0:
//     Super: acc = fma(float32(isum), D*d, acc), and for formats with minima
//     acc = fma(float32(msum), -(DMin*d), acc), where isum = sum Scale*Q*q and
//     msum = sum Min*Sums. Small: acc = fma(float32(isum), D*d, acc) (once per
//     16 where the format has two scales), and for formats with an offset
//     acc = fma(float32(qsum), M*d, acc).
//   - A transposed product (the weight matrix read by columns) has one lane per
//     output: acc = fma(x[n], w[n][c], acc) for ascending n.
//   - A product is never split along its inner dimension, never requantises
//     weights, and does not depend on how many rows or columns travel together.
//   - exp is one polynomial ([Exp]); sigmoid, SiLU and softmax are built on it.
//   - Attention walks keys in blocks of [AttnBlock] at absolute positions. Blocks
//     of a run ([AttnRun], at absolute positions as well) are joined in ascending
//     order, starting from nothing; then the runs, in ascending order, starting from
//     nothing or from the query's sink (see [Attn.Attend] and [Attn.Join]).
//
// Go checks, assembly trusts: exported functions check lengths and panic with a
// message on a caller's mistake; packages above turn bad input into errors
// before they get here.
package kernels
