// Package testkit holds what tests of several packages share: slices that end
// or begin at memory which may not be touched, and comparison of floats by bits.
package testkit
