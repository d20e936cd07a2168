//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"
#include "small_arm64.h"

// Dot products of four rows of blocks of 32 with one column. A lane of V0 is a
// row; a block's sums reach their lanes by pairwise additions.
//
// CONSTANTS, ROW and SCALES are those of small_arm64.h.
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
	VMOVI $0, V0.B16; \
block: \
	VLD1.P 32(R5), [V16.B16, V17.B16]; \
	VMOVI $0, V22.B16; \
	VMOVI $0, V4.B16; \
	VMOVI $0, V5.B16; \
	VMOVI $0, V6.B16; \
	VMOVI $0, V7.B16; \
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

// func dots4Q8_0(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)
TEXT ·dots4Q8_0(SB), NOSPLIT, $0-64
	DOTS4SMALL(NOTHING, ROWQ8_0, HALFSCALES)

// func dots4Q4_0(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)
TEXT ·dots4Q4_0(SB), NOSPLIT, $0-64
	DOTS4SMALL(LOW4AND8, ROWQ4_0, HALFSCALES)

// func dots4Q5_0(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)
TEXT ·dots4Q5_0(SB), NOSPLIT, $0-64
	DOTS4SMALL(FIFTH, ROWQ5_0, HALFSCALES)

// func dots4IQ4NL(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)
TEXT ·dots4IQ4NL(SB), NOSPLIT, $0-64
	DOTS4SMALL(TABLEIQ4NL, ROWIQ4NL, HALFSCALES)

// func dots4MXFP4(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)
TEXT ·dots4MXFP4(SB), NOSPLIT, $0-64
	DOTS4SMALL(TABLEFP4, ROWMXFP4, HALFE8M0)
