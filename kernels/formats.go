package kernels

// The formats, a row each. Package quant names and numbers them.
var (
	F32      = &Format{Name: "f32", Block: 1, Bytes: 4, Load: loadF32, store: storeF32}
	F16      = &Format{Name: "f16", Block: 1, Bytes: 2, Load: loadF16, store: storeF16}
	BF16     = &Format{Name: "bf16", Block: 1, Bytes: 2, Load: loadBF16}
	F8E4M3   = &Format{Name: "f8_e4m3", Block: 1, Bytes: 1, LoadScaled: loadF8}
	Q4_0     = &Format{Name: "q4_0", Block: 32, Bytes: 18, Small: UnpackQ4_0, kind: kindQ4_0}
	Q4_1     = &Format{Name: "q4_1", Block: 32, Bytes: 20, Small: UnpackQ4_1, Min: true, kind: kindQ4_1}
	Q5_0     = &Format{Name: "q5_0", Block: 32, Bytes: 22, Small: UnpackQ5_0, kind: kindQ5_0}
	Q5_1     = &Format{Name: "q5_1", Block: 32, Bytes: 24, Small: UnpackQ5_1, Min: true, kind: kindQ5_1}
	Q8_0     = &Format{Name: "q8_0", Block: 32, Bytes: 34, Small: UnpackQ8_0, kind: kindQ8_0}
	IQ4NL    = &Format{Name: "iq4_nl", Block: 32, Bytes: 18, Small: UnpackIQ4NL, kind: kindIQ4NL}
	MXFP4    = &Format{Name: "mxfp4", Block: 32, Bytes: 17, Small: UnpackMXFP4, kind: kindMXFP4}
	MXFP4Hub = &Format{Name: "mxfp4_hub", Block: 32, Bytes: 16, SmallBeside: UnpackMXFP4Hub, kind: kindMXFP4Hub}
	NVFP4    = &Format{Name: "nvfp4", Block: 64, Bytes: 36, Pair: UnpackNVFP4, Per16: true, kind: kindNVFP4}
	Q2K      = &Format{Name: "q2_K", Block: 256, Bytes: 84, Super: UnpackQ2K, Min: true, kind: kindQ2K}
	Q3K      = &Format{Name: "q3_K", Block: 256, Bytes: 110, Super: UnpackQ3K, kind: kindQ3K}
	Q4K      = &Format{Name: "q4_K", Block: 256, Bytes: 144, Super: UnpackQ4K, Min: true, kind: kindQ4K}
	Q5K      = &Format{Name: "q5_K", Block: 256, Bytes: 176, Super: UnpackQ5K, Min: true, kind: kindQ5K}
	Q6K      = &Format{Name: "q6_K", Block: 256, Bytes: 210, Super: UnpackQ6K, kind: kindQ6K}
	IQ1S     = &Format{Name: "iq1_s", Block: 256, Bytes: 50, Super: UnpackIQ1S, kind: kindIQ1S}
	IQ1M     = &Format{Name: "iq1_m", Block: 256, Bytes: 56, Super: UnpackIQ1M, kind: kindIQ1M}
	IQ2XXS   = &Format{Name: "iq2_xxs", Block: 256, Bytes: 66, Super: UnpackIQ2XXS, kind: kindIQ2XXS}
	IQ2XS    = &Format{Name: "iq2_xs", Block: 256, Bytes: 74, Super: UnpackIQ2XS, kind: kindIQ2XS}
	IQ2S     = &Format{Name: "iq2_s", Block: 256, Bytes: 82, Super: UnpackIQ2S, kind: kindIQ2S}
	IQ3XXS   = &Format{Name: "iq3_xxs", Block: 256, Bytes: 98, Super: UnpackIQ3XXS, kind: kindIQ3XXS}
	IQ3S     = &Format{Name: "iq3_s", Block: 256, Bytes: 110, Super: UnpackIQ3S, kind: kindIQ3S}
	IQ4XS    = &Format{Name: "iq4_xs", Block: 256, Bytes: 136, Super: UnpackIQ4XS, kind: kindIQ4XS}
	TQ1_0    = &Format{Name: "tq1_0", Block: 256, Bytes: 54, Super: UnpackTQ1_0, kind: kindTQ1_0}
	TQ2_0    = &Format{Name: "tq2_0", Block: 256, Bytes: 66, Super: UnpackTQ2_0, kind: kindTQ2_0}
)
