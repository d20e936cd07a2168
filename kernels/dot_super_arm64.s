//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Dot products of four rows of super-blocks with one column: R0 dst, R1-R4 rows,
// R5 codes, R6 scales and R7 sums of the column, R8 blocks. A lane of V0 is a row.
// The integer sums of a block are in V4 (V5, V6 on the way), those of minima in
// V7 (V8, V9), the rows' scales and minima in lanes of V11.

#define ARGS \
	MOVD dst+0(FP), R0; \
	MOVD w0+8(FP), R1; \
	MOVD w1+16(FP), R2; \
	MOVD w2+24(FP), R3; \
	MOVD w3+32(FP), R4; \
	MOVD q+40(FP), R5; \
	MOVD d+48(FP), R6; \
	MOVD sums+56(FP), R7; \
	MOVD n+64(FP), R8; \
	VMOVI $0, V0.B16

#define MASKS6 \
	VMOVI $15, V1.B16; \
	MOVD $0x3f3f3f3f, R9; \
	MOVD $0x0f0f0f0f, R10; \
	MOVD $0x30303030, R11

// SCALES6 reads scale and min of row i (lane i of V11), and its 6-bit scales: see
// scales6 in unpack_q4_k.go. It leaves the scales in V12 and V13 and the sum of
// minima times sums of 32 (V2) in msum; changes V3 and V14.
#define SCALES6(p, i, msum) \
	VLD1.P 4(p), V11.S[i]; \
	MOVWU  0(p), R12; \
	MOVWU  4(p), R13; \
	MOVWU  8(p), R14; \
	ADD    $12, p; \
	AND    R9, R12, R15; \
	LSR    $2, R12, R12; \
	AND    R11, R12, R12; \
	AND    R10, R14, R16; \
	ORR    R16, R12, R12; \
	ORR    R12<<32, R15, R15; \
	AND    R9, R13, R16; \
	LSR    $2, R13, R13; \
	AND    R11, R13, R13; \
	LSR    $4, R14, R14; \
	AND    R10, R14, R14; \
	ORR    R14, R13, R13; \
	ORR    R13<<32, R16, R16; \
	FMOVD  R15, F3; \
	FMOVD  R16, F14; \
	SXTL_8H(3, 3); \
	SXTL_8H(14, 14); \
	SXTL_4S(12, 3); \
	SXTL2_4S(13, 3); \
	SMULL_4S(msum, 14, 2); \
	SMLAL2_4S(msum, 14, 2)

// ENDMIN: acc = fma(isum, D*d, acc), acc = fma(msum, -(DMin*d), acc).
#define ENDMIN \
	VADDP V5.S4, V4.S4, V4.S4; \
	VADDP V8.S4, V7.S4, V7.S4; \
	SCVTF_4S(4, 4); \
	SCVTF_4S(7, 7); \
	VUZP1 V11.H8, V11.H8, V12.H8; \
	VUZP2 V11.H8, V11.H8, V13.H8; \
	FCVTL_4S(12, 12); \
	FCVTL_4S(13, 13); \
	VLD1R.P 4(R6), [V14.S4]; \
	FMUL_4S(12, 12, 14); \
	FMUL_4S(13, 13, 14); \
	FMLA_4S(0, 4, 12); \
	FMLS_4S(0, 7, 13)

// CHUNK4K: 64 values of one row; i and j are the lanes of their two scales in s,
// a-d the column's codes. OP is MLA, in a row's first chunk MUL.
#define CHUNK4K(OP, p, isum, s, i, j, a, b, c, d) \
	VLD1.P 32(p), [V14.B16, V15.B16]; \
	VMOVI $0, V10.B16; \
	VAND  V1.B16, V14.B16, V3.B16; \
	SDOT_4S(10, 3, a); \
	VAND  V1.B16, V15.B16, V3.B16; \
	SDOT_4S(10, 3, b); \
	OP(isum, 10, s, i); \
	VMOVI $0, V10.B16; \
	VUSHR $4, V14.B16, V14.B16; \
	SDOT_4S(10, 14, c); \
	VUSHR $4, V15.B16, V15.B16; \
	SDOT_4S(10, 15, d); \
	MLA_4S_S(isum, 10, s, j)

#define ROW4K(p, i, isum, msum) \
	SCALES6(p, i, msum); \
	CHUNK4K(MUL_4S_S, p, isum, 12, 0, 1, 16, 17, 18, 19); \
	CHUNK4K(MLA_4S_S, p, isum, 12, 2, 3, 20, 21, 22, 23); \
	CHUNK4K(MLA_4S_S, p, isum, 13, 0, 1, 24, 25, 26, 27); \
	CHUNK4K(MLA_4S_S, p, isum, 13, 2, 3, 28, 29, 30, 31)

// func dots4Q4K(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, sums *int16, n int)
TEXT ·dots4Q4K(SB), NOSPLIT, $0-72
	ARGS
	MASKS6

block:
	VMOVI  $0, V11.B16
	VLD1.P 64(R5), [V16.B16, V17.B16, V18.B16, V19.B16]
	VLD1.P 64(R5), [V20.B16, V21.B16, V22.B16, V23.B16]
	VLD1.P 64(R5), [V24.B16, V25.B16, V26.B16, V27.B16]
	VLD1.P 64(R5), [V28.B16, V29.B16, V30.B16, V31.B16]
	VLD1.P 32(R7), [V2.H8, V3.H8]
	VADDP  V3.H8, V2.H8, V2.H8
	ROW4K(R1, 0, 4, 7)
	ROW4K(R2, 1, 5, 8)
	VADDP  V5.S4, V4.S4, V4.S4
	VADDP  V8.S4, V7.S4, V7.S4
	ROW4K(R3, 2, 5, 8)
	ROW4K(R4, 3, 6, 9)
	VADDP  V6.S4, V5.S4, V5.S4
	VADDP  V9.S4, V8.S4, V8.S4
	ENDMIN
	SUBS   $1, R8
	BNE    block
	VST1   [V0.S4], (R0)
	RET

// CHUNK5K is CHUNK4K with the fifth bits in V24 and V25, which LOW and HIGH shift
// to bit 4, and the column's codes at off. The halves of the codes replace what is
// under the fifth bit; what is above it goes last.
#define CHUNK5K(OP, p, isum, s, i, j, off, LOW, lows, HIGH, highs) \
	VLD1.P 32(p), [V14.B16, V15.B16]; \
	FLDPQ off(R5), (F16, F17); \
	FLDPQ (off+32)(R5), (F18, F19); \
	LOW   lows, V24.B16, V20.B16; \
	LOW   lows, V25.B16, V21.B16; \
	VBIT  V1.B16, V14.B16, V20.B16; \
	VBIT  V1.B16, V15.B16, V21.B16; \
	VAND  V26.B16, V20.B16, V20.B16; \
	VAND  V26.B16, V21.B16, V21.B16; \
	VMOVI $0, V10.B16; \
	SDOT_4S(10, 20, 16); \
	SDOT_4S(10, 21, 17); \
	OP(isum, 10, s, i); \
	HIGH  highs, V24.B16, V20.B16; \
	HIGH  highs, V25.B16, V21.B16; \
	VSRI  $4, V14.B16, V20.B16; \
	VSRI  $4, V15.B16, V21.B16; \
	VAND  V26.B16, V20.B16, V20.B16; \
	VAND  V26.B16, V21.B16, V21.B16; \
	VMOVI $0, V10.B16; \
	SDOT_4S(10, 20, 18); \
	SDOT_4S(10, 21, 19); \
	MLA_4S_S(isum, 10, s, j)

#define ROW5K(p, i, isum, msum) \
	SCALES6(p, i, msum); \
	VLD1.P 32(p), [V24.B16, V25.B16]; \
	CHUNK5K(MUL_4S_S, p, isum, 12, 0, 1, 0, VSHL, $4, VSHL, $3); \
	CHUNK5K(MLA_4S_S, p, isum, 12, 2, 3, 64, VSHL, $2, VSHL, $1); \
	CHUNK5K(MLA_4S_S, p, isum, 13, 0, 1, 128, VSHL, $0, VUSHR, $1); \
	CHUNK5K(MLA_4S_S, p, isum, 13, 2, 3, 192, VUSHR, $2, VUSHR, $3)

// func dots4Q5K(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, sums *int16, n int)
TEXT ·dots4Q5K(SB), NOSPLIT, $0-72
	ARGS
	MASKS6
	VMOVI $31, V26.B16

block:
	VMOVI  $0, V11.B16
	VLD1.P 32(R7), [V2.H8, V3.H8]
	VADDP  V3.H8, V2.H8, V2.H8
	ROW5K(R1, 0, 4, 7)
	ROW5K(R2, 1, 5, 8)
	VADDP  V5.S4, V4.S4, V4.S4
	VADDP  V8.S4, V7.S4, V7.S4
	ROW5K(R3, 2, 5, 8)
	ROW5K(R4, 3, 6, 9)
	VADDP  V6.S4, V5.S4, V5.S4
	VADDP  V9.S4, V8.S4, V8.S4
	ENDMIN
	ADD    $256, R5
	SUBS   $1, R8
	BNE    block
	VST1   [V0.S4], (R0)
	RET

// Sixteen values of one row: SHIFT brings two bits of two to bits 4 and 5, half a
// byte of low replaces what is under them, what is above goes last.
#define CODE6LOW(isum, low, shift, two, act, s, i) \
	VSHL  shift, two.B16, V29.B16; \
	VBIT  V1.B16, low.B16, V29.B16; \
	PRODUCT6(isum, act, s, i)

#define CODE6HIGH(isum, low, SHIFT, shift, two, act, s, i) \
	SHIFT shift, two.B16, V29.B16; \
	VSRI  $4, low.B16, V29.B16; \
	PRODUCT6(isum, act, s, i)

#define PRODUCT6(isum, act, s, i) \
	VMOVI $0, V10.B16; \
	VAND  V7.B16, V29.B16, V29.B16; \
	SDOT_4S(10, 29, act); \
	MLA_4S_S(isum, 10, s, i)

// HALF6K: 128 values of one row. Bytes x0 x1 of the low halves are V16 V17, y0 y1
// V18 V19, the high bits V20 V21; the scales are in s and t.
#define HALF6K(p, isum, low, high, off, s, t) \
	FLDPQ low(p), (F16, F17); \
	FLDPQ (low+32)(p), (F18, F19); \
	FLDPQ high(p), (F20, F21); \
	FLDPQ off(R5), (F22, F23); \
	FLDPQ (off+32)(R5), (F24, F25); \
	CODE6LOW(isum, V16, $4, V20, 22, s, 0); \
	CODE6LOW(isum, V17, $4, V21, 23, s, 1); \
	CODE6LOW(isum, V18, $2, V20, 24, s, 2); \
	CODE6LOW(isum, V19, $2, V21, 25, s, 3); \
	FLDPQ (off+64)(R5), (F22, F23); \
	FLDPQ (off+96)(R5), (F24, F25); \
	CODE6HIGH(isum, V16, VSHL, $0, V20, 22, t, 0); \
	CODE6HIGH(isum, V17, VSHL, $0, V21, 23, t, 1); \
	CODE6HIGH(isum, V18, VUSHR, $2, V20, 24, t, 2); \
	CODE6HIGH(isum, V19, VUSHR, $2, V21, 25, t, 3)

// ROW6K sets isum, whose register is also called reg, to the sum of scale * dot.
// The codes are 32 too great: it starts from -32 * scale * sum.
#define ROW6K(p, i, isum, reg) \
	FMOVQ 192(p), F14; \
	ADD   $208, p, R9; \
	VLD1  (R9), V11.H[i]; \
	SXTL_8H(8, 14); \
	SXTL2_8H(9, 14); \
	SXTL_4S(12, 8); \
	SXTL2_4S(13, 8); \
	SXTL_4S(14, 9); \
	SXTL2_4S(15, 9); \
	SMULL_4S(isum, 8, 2); \
	SMLAL2_4S(isum, 8, 2); \
	SMLAL_4S(isum, 9, 3); \
	SMLAL2_4S(isum, 9, 3); \
	VMOVI $0, V10.B16; \
	VSHL  $5, reg.S4, reg.S4; \
	VSUB  reg.S4, V10.S4, reg.S4; \
	HALF6K(p, isum, 0, 128, 0, 12, 13); \
	HALF6K(p, isum, 64, 160, 128, 14, 15); \
	ADD   $210, p

// func dots4Q6K(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, sums *int16, n int)
TEXT ·dots4Q6K(SB), NOSPLIT, $0-72
	ARGS
	VMOVI $15, V1.B16
	VMOVI $63, V7.B16

block:
	VMOVI  $0, V11.B16
	VLD1.P 32(R7), [V2.H8, V3.H8]
	ROW6K(R1, 0, 4, V4)
	ROW6K(R2, 1, 5, V5)
	VADDP  V5.S4, V4.S4, V4.S4
	ROW6K(R3, 2, 5, V5)
	ROW6K(R4, 3, 6, V6)
	VADDP  V6.S4, V5.S4, V5.S4
	VADDP  V5.S4, V4.S4, V4.S4
	SCVTF_4S(4, 4)
	FCVTL_4S(12, 11)
	VLD1R.P 4(R6), [V14.S4]
	FMUL_4S(12, 12, 14)
	FMLA_4S(0, 4, 12)
	ADD    $256, R5
	SUBS   $1, R8
	BNE    block
	VST1   [V0.S4], (R0)
	RET
