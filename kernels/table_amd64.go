//go:build !purego

package kernels

import "github.com/klauspost/cpuid/v2"

var avx2 = func() table {
	t := portable
	t.name = "avx2"
	t.mulQ8 = mulQ8AVX2
	vectorsAVX2.fill(&t)
	t.deltaNet = deltaNetAVX2
	floatsAVX2.fill(&t)
	attentionAVX2.fill(&t)
	t.limitFloat = limitStepsOf(limitFloatAVX2, 8)
	t.limitInt8 = limitStepsOf(limitInt8AVX2, 32)
	t.limitRead = limitReadOf(limitReadAVX2)
	return t
}()

var avx512 = func() table {
	t := avx2
	t.name = "avx512"
	vectorsAVX512.fill(&t)
	t.deltaNet = deltaNetAVX512
	floatsAVX512.fill(&t)
	t.limitFloat = limitStepsOf(limitFloatAVX512, 16)
	t.limitInt8 = limitStepsOf(limitInt8AVX512, 64)
	t.limitRead = limitReadOf(limitReadAVX512)
	t.of(cpuid.CPU.VendorID == cpuid.AMD)
	return t
}()

// of sets what is chosen by a CPU's maker, with AVX-512.
func (t *table) of(amd bool) {
	t.mulQ8 = mulQ8AVX512(amd)
	attentionAVX512(amd).fill(t)
}

// available returns the tables of this CPU, the best last.
func available() []*table {
	tables := []*table{&portable}
	cpu := &cpuid.CPU
	if !cpu.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.F16C) {
		return tables
	}
	tables = append(tables, &avx2)
	if cpu.Supports(cpuid.AVX512F, cpuid.AVX512VL, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VNNI) {
		tables = append(tables, &avx512)
	}
	return tables
}
