//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Dot products of four rows of blocks of 32 with one column. A lane of V0 is a
// row; a block's sums reach their lanes by pairwise additions.
//
// ROW(p, i) reads the block of row i at p: codes to V20 and V21, scale to a lane
// of V22. SCALES turns V22 to float32 in V23.
#define DOTS4SMALL(CONSTANTS, ROW, SCALES) \
	MOVD dst+0(FP), R0; \
	MOVD w0+8(FP), R1; \
	MOVD w1+16(FP), R2; \
	MOVD w2+24(FP), R3; \
	MOVD w3+32(FP), R4; \
	MOVD q+40(FP), R5; \
	MOVD d+48(FP), R6; \
	MOVD n+56(FP), R7; \
	CONSTANTS; \
	VEOR V0.B16, V0.B16, V0.B16; \
	VEOR V22.B16, V22.B16, V22.B16; \
block: \
	VLD1.P 32(R5), [V16.B16, V17.B16]; \
	VEOR V4.B16, V4.B16, V4.B16; \
	VEOR V5.B16, V5.B16, V5.B16; \
	VEOR V6.B16, V6.B16, V6.B16; \
	VEOR V7.B16, V7.B16, V7.B16; \
	ROW(R1, 0); \
	SDOT_4S(4, 20, 16); \
	SDOT_4S(4, 21, 17); \
	ROW(R2, 1); \
	SDOT_4S(5, 20, 16); \
	SDOT_4S(5, 21, 17); \
	ROW(R3, 2); \
	SDOT_4S(6, 20, 16); \
	SDOT_4S(6, 21, 17); \
	ROW(R4, 3); \
	SDOT_4S(7, 20, 16); \
	SDOT_4S(7, 21, 17); \
	VADDP V5.S4, V4.S4, V4.S4; \
	VADDP V7.S4, V6.S4, V6.S4; \
	VADDP V6.S4, V4.S4, V4.S4; \
	SCVTF_4S(4, 4); \
	SCALES; \
	VLD1R.P 4(R6), [V18.S4]; \
	FMUL_4S(23, 23, 18); \
	FMLA_4S(0, 4, 23); \
	SUBS $1, R7; \
	BNE  block; \
	VST1 [V0.S4], (R0); \
	RET

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

// func dots4Q8_0(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)
TEXT ·dots4Q8_0(SB), NOSPLIT, $0-64
	DOTS4SMALL(NOTHING, ROWQ8_0, HALFSCALES)

#define LOW4AND8 \
	VMOVI $15, V30.B16; \
	VMOVI $8, V31.B16

#define ROWQ4_0(p, i) \
	VLD1.P 2(p), V22.H[i]; \
	NIBBLES(p); \
	VSUB V31.B16, V20.B16, V20.B16; \
	VSUB V31.B16, V21.B16, V21.B16

// func dots4Q4_0(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)
TEXT ·dots4Q4_0(SB), NOSPLIT, $0-64
	DOTS4SMALL(LOW4AND8, ROWQ4_0, HALFSCALES)

// The fifth bits: V28 and V29 pick the byte for each value, V27 the bit.
#define FIFTH \
	VMOVI $15, V30.B16; \
	VMOVI $0xf0, V31.B16; \
	MOVD  $0x8040201008040201, R8; \
	VDUP  R8, V27.D2; \
	MOVD  $0x0101010101010101, R8; \
	VMOV  ZR, V28.D[0]; \
	VMOV  R8, V28.D[1]; \
	VMOVI $2, V29.B16; \
	VADD  V28.B16, V29.B16, V29.B16

// With the bit the code is its low half, without it 16 less: the low half under
// 0xf0.
#define ROWQ5_0(p, i) \
	VLD1.P  2(p), V22.H[i]; \
	VLD1R.P 4(p), [V24.S4]; \
	NIBBLES(p); \
	VTBL   V29.B16, [V24.B16], V25.B16; \
	VTBL   V28.B16, [V24.B16], V24.B16; \
	VCMTST V27.B16, V24.B16, V24.B16; \
	VCMTST V27.B16, V25.B16, V25.B16; \
	VORR   V31.B16, V20.B16, V26.B16; \
	VBIF   V24.B16, V26.B16, V20.B16; \
	VORR   V31.B16, V21.B16, V26.B16; \
	VBIF   V25.B16, V26.B16, V21.B16

// func dots4Q5_0(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)
TEXT ·dots4Q5_0(SB), NOSPLIT, $0-64
	DOTS4SMALL(FIFTH, ROWQ5_0, HALFSCALES)

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

// func dots4IQ4NL(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)
TEXT ·dots4IQ4NL(SB), NOSPLIT, $0-64
	DOTS4SMALL(TABLEIQ4NL, ROWIQ4NL, HALFSCALES)

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

// func dots4MXFP4(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)
TEXT ·dots4MXFP4(SB), NOSPLIT, $0-64
	DOTS4SMALL(TABLEFP4, ROWMXFP4, HALFE8M0)
