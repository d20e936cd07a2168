//go:build purego || !(amd64 || arm64)

package kernels

// available returns the tables of this build, the best last.
func available() []*table { return []*table{&portable} }
