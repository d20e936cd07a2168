//go:build !purego

package kernels

// available returns the tables of this CPU, the best last.
func available() []*table { return []*table{&portable} }
