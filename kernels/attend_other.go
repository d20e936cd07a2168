//go:build purego || !amd64

package kernels

type attendScratch struct{}
