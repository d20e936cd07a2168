//go:build !amd64 || purego

package kernels

func withForms() []*table { return available()[1:] }
