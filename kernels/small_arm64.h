// How blocks of 32 are read. ROW(p, i) reads the block of row i at p and moves p
// on: codes to V20 and V21, the scale to lane i of V22. SCALES turns lanes 0-3 of
// V22 to float32 in V23. CONSTANTS sets V27-V31 for both; V24-V26, R8 and R9 are
// for anybody's use.

#define HALFSCALES \
	FCVTL_4S(23, 22)

#define NIBBLES(p) \
	VLD1.P 16(p), [V20.B16]; \
	VUSHR  $4, V20.B16, V21.B16; \
	VAND   V30.B16, V20.B16, V20.B16

#define LOW4 \
	VMOVI $15, V30.B16

#define NOTHING

#define ROWQ8_0(p, i) \
	VLD1.P 2(p), V22.H[i]; \
	VLD1.P 32(p), [V20.B16, V21.B16]

#define LOW4AND8 \
	VMOVI $15, V30.B16; \
	VMOVI $8, V31.B16

#define ROWQ4_0(p, i) \
	VLD1.P 2(p), V22.H[i]; \
	NIBBLES(p); \
	VSUB V31.B16, V20.B16, V20.B16; \
	VSUB V31.B16, V21.B16, V21.B16

// The fifth bits: V28 and V29 pick the byte for each value, V27 the bit.
#define FIFTH \
	VMOVI $0xff, V31.B16; \
	MOVD  $0x8040201008040201, R8; \
	VDUP  R8, V27.D2; \
	MOVD  $0x0101010101010101, R8; \
	VMOVI $0, V28.B16; \
	VMOV  R8, V28.D[1]; \
	VMOVI $2, V29.B16; \
	VADD  V28.B16, V29.B16, V29.B16

// With the fifth bit a code is its low half, without it 16 less: the low half
// under ones.
#define ROWQ5_0(p, i) \
	VLD1.P  2(p), V22.H[i]; \
	VLD1R.P 4(p), [V24.S4]; \
	VLD1.P  16(p), [V20.B16]; \
	VEOR    V31.B16, V24.B16, V24.B16; \
	VTBL    V29.B16, [V24.B16], V25.B16; \
	VTBL    V28.B16, [V24.B16], V24.B16; \
	VUSHR   $4, V20.B16, V21.B16; \
	VCMTST  V27.B16, V24.B16, V24.B16; \
	VCMTST  V27.B16, V25.B16, V25.B16; \
	VSLI    $4, V24.B16, V20.B16; \
	VSLI    $4, V25.B16, V21.B16

#define LOOKUP \
	VTBL V20.B16, [V31.B16], V20.B16; \
	VTBL V21.B16, [V31.B16], V21.B16

#define ROWIQ4NL(p, i) \
	VLD1.P 2(p), V22.H[i]; \
	NIBBLES(p); \
	LOOKUP

#define TABLEIQ4NL \
	LOW4; \
	MOVD $·NL4(SB), R8; \
	VLD1 (R8), [V31.B16]

#define TABLEFP4 \
	LOW4; \
	MOVD $·FP4(SB), R8; \
	VLD1 (R8), [V31.B16]; \
	MOVD $1, R8; \
	VDUP R8, V27.S4; \
	MOVD $2, R8; \
	VDUP R8, V28.S4; \
	MOVD $0x00200000, R8; \
	VDUP R8, V29.S4

#define ROWMXFP4(p, i) \
	MOVBU.P 1(p), R9; \
	VMOV R9, V22.H[i]; \
	NIBBLES(p); \
	LOOKUP

// Half of 2**(e-127): the bits of e-1 as an exponent, or for e < 2 those of a
// subnormal.
#define HALFE8M0 \
	VUXTL V22.H4, V23.S4; \
	USHL_4S(24, 29, 23); \
	CMGT_4S(25, 28, 23); \
	VSUB V27.S4, V23.S4, V23.S4; \
	VSHL $23, V23.S4, V23.S4; \
	VBIT V25.B16, V24.B16, V23.B16
