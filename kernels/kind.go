package kernels

// The kinds of [Format.kind].
const (
	kindNone kind = iota
	kindQ4_0
	kindQ4_1
	kindQ5_0
	kindQ5_1
	kindQ8_0
	kindIQ4NL
	kindMXFP4
	kindMXFP4Hub
	kindNVFP4
	kindQ2K
	kindQ3K
	kindQ4K
	kindQ5K
	kindQ6K
	kindIQ1S
	kindIQ1M
	kindIQ2XXS
	kindIQ2XS
	kindIQ2S
	kindIQ3XXS
	kindIQ3S
	kindIQ4XS
	kindTQ1_0
	kindTQ2_0
	kinds
)
