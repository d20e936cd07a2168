//go:build !purego

package kernels

import "github.com/klauspost/cpuid/v2"

// withForms returns the tables of this CPU but for the portable one, and what they
// would be on a CPU of another maker.
func withForms() []*table {
	tables := available()[1:]
	if n := len(tables); n > 0 && tables[n-1] == &avx512 {
		other := avx512
		other.name += " of another maker"
		other.of(cpuid.CPU.VendorID != cpuid.AMD)
		tables = append(tables, &other)
	}
	return tables
}
