// Package tensor multiplies activations with weight matrices of any format on a
// pool of workers. Matrices are views of a file's bytes; nothing is copied,
// converted or kept in another precision.
package tensor
