//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Products of tiles of eight rows with four columns. The sums of rows 0-3 with
// columns 0-3 are in four registers, those of rows 4-7 in the next four: V0-V7
// for a sub-block, V8-V15 for a block. SMMLA keeps pairs of rows by pairs of
// columns instead, V(2p+c), until the end of the block.
//
// R0 dst, R1 tile, R2 scales, R3 minima, R4-R7 activations, R8-R11 their scales,
// R12-R15 their sums, R16 blocks.

#define LOADCOLUMNS \
	MOVD 0(R2), R4; \
	MOVD 8(R2), R5; \
	MOVD 16(R2), R6; \
	MOVD 24(R2), R7; \
	MOVD 32(R2), R8; \
	MOVD 40(R2), R9; \
	MOVD 48(R2), R10; \
	MOVD 56(R2), R11; \
	MOVD 64(R2), R12; \
	MOVD 72(R2), R13; \
	MOVD 80(R2), R14; \
	MOVD 88(R2), R15; \
	MOVD 96(R2), R16

#define ZERO(a) \
	VMOVI $0, a.B16

#define ZERO8(a, b, c, d, e, f, g, h) \
	ZERO(a); \
	ZERO(b); \
	ZERO(c); \
	ZERO(d); \
	ZERO(e); \
	ZERO(f); \
	ZERO(g); \
	ZERO(h)

// LOADROWS reads 16 values of eight rows to V20-V27.
#define LOADROWS \
	VLD1.P 64(R1), [V20.B16, V21.B16, V22.B16, V23.B16]; \
	VLD1.P 64(R1), [V24.B16, V25.B16, V26.B16, V27.B16]

// Four values: rows in lo and hi, element i of the columns.
#define STEP4(lo, hi, i) \
	SDOT_4S_4B(0, lo, 16, i); \
	SDOT_4S_4B(1, lo, 17, i); \
	SDOT_4S_4B(2, lo, 18, i); \
	SDOT_4S_4B(3, lo, 19, i); \
	SDOT_4S_4B(4, hi, 16, i); \
	SDOT_4S_4B(5, hi, 17, i); \
	SDOT_4S_4B(6, hi, 18, i); \
	SDOT_4S_4B(7, hi, 19, i)

#define STEPSDOT \
	LOADROWS; \
	VLD1.P 16(R4), [V16.B16]; \
	VLD1.P 16(R5), [V17.B16]; \
	VLD1.P 16(R6), [V18.B16]; \
	VLD1.P 16(R7), [V19.B16]; \
	STEP4(20, 21, 0); \
	STEP4(22, 23, 1); \
	STEP4(24, 25, 2); \
	STEP4(26, 27, 3)

// Eight values: two columns in x and two in y, pairs of rows in four registers.
#define STEP8(p, q, r, s, x, y) \
	SMMLA_4S(0, p, x); \
	SMMLA_4S(1, p, y); \
	SMMLA_4S(2, q, x); \
	SMMLA_4S(3, q, y); \
	SMMLA_4S(4, r, x); \
	SMMLA_4S(5, r, y); \
	SMMLA_4S(6, s, x); \
	SMMLA_4S(7, s, y)

#define STEPSMMLA \
	LOADROWS; \
	VLD1.P 64(R4), [V16.B16, V17.B16, V18.B16, V19.B16]; \
	STEP8(20, 21, 22, 23, 16, 17); \
	STEP8(24, 25, 26, 27, 18, 19)

// SCALE adds the sub-block, times its scales, to the block.
#define SCALESDOT \
	VLD1.P 32(R2), [V28.S4, V29.S4]; \
	MLA_4S(8, 0, 28); \
	MLA_4S(9, 1, 28); \
	MLA_4S(10, 2, 28); \
	MLA_4S(11, 3, 28); \
	MLA_4S(12, 4, 29); \
	MLA_4S(13, 5, 29); \
	MLA_4S(14, 6, 29); \
	MLA_4S(15, 7, 29)

#define SCALESMMLA \
	VLD1.P 32(R2), [V28.S4, V29.S4]; \
	VZIP1 V28.S4, V28.S4, V16.S4; \
	VZIP2 V28.S4, V28.S4, V17.S4; \
	VZIP1 V29.S4, V29.S4, V18.S4; \
	VZIP2 V29.S4, V29.S4, V19.S4; \
	MLA_4S(8, 0, 16); \
	MLA_4S(9, 1, 16); \
	MLA_4S(10, 2, 17); \
	MLA_4S(11, 3, 17); \
	MLA_4S(12, 4, 18); \
	MLA_4S(13, 5, 18); \
	MLA_4S(14, 6, 19); \
	MLA_4S(15, 7, 19)

// ROWLANES brings sums from SMMLA's order in a-h to SDOT's in V0-V7.
#define ROWLANES(a, b, c, d, e, f, g, h) \
	VUZP1 c.S4, a.S4, V16.S4; \
	VUZP2 c.S4, a.S4, V17.S4; \
	VUZP1 d.S4, b.S4, V18.S4; \
	VUZP2 d.S4, b.S4, V19.S4; \
	VUZP1 g.S4, e.S4, V20.S4; \
	VUZP2 g.S4, e.S4, V21.S4; \
	VUZP1 h.S4, f.S4, V22.S4; \
	VUZP2 h.S4, f.S4, V23.S4; \
	VORR V16.B16, V16.B16, V0.B16; \
	VORR V17.B16, V17.B16, V1.B16; \
	VORR V18.B16, V18.B16, V2.B16; \
	VORR V19.B16, V19.B16, V3.B16; \
	VORR V20.B16, V20.B16, V4.B16; \
	VORR V21.B16, V21.B16, V5.B16; \
	VORR V22.B16, V22.B16, V6.B16; \
	VORR V23.B16, V23.B16, V7.B16

#define ORDERSDOT \
	VORR V8.B16, V8.B16, V0.B16; \
	VORR V9.B16, V9.B16, V1.B16; \
	VORR V10.B16, V10.B16, V2.B16; \
	VORR V11.B16, V11.B16, V3.B16; \
	VORR V12.B16, V12.B16, V4.B16; \
	VORR V13.B16, V13.B16, V5.B16; \
	VORR V14.B16, V14.B16, V6.B16; \
	VORR V15.B16, V15.B16, V7.B16

#define ORDERSMMLA \
	ROWLANES(V8, V9, V10, V11, V12, V13, V14, V15)

#define CONVERT8 \
	SCVTF_4S(0, 0); \
	SCVTF_4S(1, 1); \
	SCVTF_4S(2, 2); \
	SCVTF_4S(3, 3); \
	SCVTF_4S(4, 4); \
	SCVTF_4S(5, 5); \
	SCVTF_4S(6, 6); \
	SCVTF_4S(7, 7)

// FLOAT adds (OP FMLA) or subtracts (FMLS) the products of V0-V7 with the rows'
// scales in V28 and V29 times the columns' in lanes of V30, from V8-V15.
#define FLOAT1(OP, acc, sum, rows, i) \
	FMUL_4S_S(16, rows, 30, i); \
	OP(acc, sum, 16)

#define FLOAT(OP) \
	FLOAT1(OP, 8, 0, 28, 0); \
	FLOAT1(OP, 9, 1, 28, 1); \
	FLOAT1(OP, 10, 2, 28, 2); \
	FLOAT1(OP, 11, 3, 28, 3); \
	FLOAT1(OP, 12, 4, 29, 0); \
	FLOAT1(OP, 13, 5, 29, 1); \
	FLOAT1(OP, 14, 6, 29, 2); \
	FLOAT1(OP, 15, 7, 29, 3)

// COLUMNSCALES reads the columns' scales to the lanes of V30.
#define COLUMNSCALES \
	FMOVS.P 4(R8), F30; \
	VLD1.P 4(R9), V30.S[1]; \
	VLD1.P 4(R10), V30.S[2]; \
	VLD1.P 4(R11), V30.S[3]

// LOADDST reads columns of eight rows to V8-V15, STOREDST writes them.
#define LOADDST \
	FLDPQ 0(R0), (F8, F12); \
	FLDPQ 32(R0), (F9, F13); \
	FLDPQ 64(R0), (F10, F14); \
	FLDPQ 96(R0), (F11, F15)

#define STOREDST \
	FSTPQ (F8, F12), 0(R0); \
	FSTPQ (F9, F13), 32(R0); \
	FSTPQ (F10, F14), 64(R0); \
	FSTPQ (F11, F15), 96(R0)

// MIN multiplies the minima of a sub-block with element i of the columns' sums.
#define MIN(i) \
	FMOVQ (R3), F28; \
	ADD   R21, R3; \
	SMLAL_4S_H(16, 28, 8, i); \
	SMLAL_4S_H(17, 28, 9, i); \
	SMLAL_4S_H(18, 28, 10, i); \
	SMLAL_4S_H(19, 28, 11, i); \
	SMLAL2_4S_H(20, 28, 8, i); \
	SMLAL2_4S_H(21, 28, 9, i); \
	SMLAL2_4S_H(22, 28, 10, i); \
	SMLAL2_4S_H(23, 28, 11, i)

// MULSUPER: R19 wide, R20 min, R21 stride of minima, R22 counter. The block's
// products wait in dst, nothing else of the float step is kept in registers.
#define MULSUPER(STEP, SCALE, ORDER) \
	MOVD  dst+0(FP), R0; \
	MOVD  t+8(FP), R1; \
	MOVD  c+16(FP), R2; \
	MOVBU wide+24(FP), R19; \
	MOVBU min+25(FP), R20; \
	LOADCOLUMNS; \
	ZERO8(V8, V9, V10, V11, V12, V13, V14, V15); \
	STOREDST; \
block: \
	ADD  $2048, R1, R2; \
	ADD  $512, R2, R3; \
	ZERO8(V8, V9, V10, V11, V12, V13, V14, V15); \
	MOVD $16, R22; \
sub: \
	ZERO8(V0, V1, V2, V3, V4, V5, V6, V7); \
	STEP; \
	CBZ  R19, scale; \
	STEP; \
	ADD  $32, R2; \
	SUB  $1, R22; \
scale: \
	SCALE; \
	SUBS $1, R22; \
	BNE  sub; \
	ORDER; \
	CONVERT8; \
	LOADDST; \
	COLUMNSCALES; \
	ADD  $768, R1, R22; \
	FLDPQ 0(R22), (F28, F29); \
	FLOAT(FMLA_4S); \
	STOREDST; \
	CBZ  R20, nomin; \
	ZERO8(V16, V17, V18, V19, V20, V21, V22, V23); \
	MOVD $16, R21; \
	MOVD $2, R22; \
	CBZ  R19, sums; \
	MOVD $32, R21; \
	MOVD $1, R22; \
	FLDPQ.P 32(R12), (F0, F1); \
	FLDPQ.P 32(R13), (F2, F3); \
	FLDPQ.P 32(R14), (F4, F5); \
	FLDPQ.P 32(R15), (F6, F7); \
	VADDP V1.H8, V0.H8, V8.H8; \
	VADDP V3.H8, V2.H8, V9.H8; \
	VADDP V5.H8, V4.H8, V10.H8; \
	VADDP V7.H8, V6.H8, V11.H8; \
	B    mins; \
sums: \
	FMOVQ.P 16(R12), F8; \
	FMOVQ.P 16(R13), F9; \
	FMOVQ.P 16(R14), F10; \
	FMOVQ.P 16(R15), F11; \
mins: \
	MIN(0); \
	MIN(1); \
	MIN(2); \
	MIN(3); \
	MIN(4); \
	MIN(5); \
	MIN(6); \
	MIN(7); \
	SUBS $1, R22; \
	BNE  sums; \
	VORR V16.B16, V16.B16, V0.B16; \
	VORR V17.B16, V17.B16, V1.B16; \
	VORR V18.B16, V18.B16, V2.B16; \
	VORR V19.B16, V19.B16, V3.B16; \
	VORR V20.B16, V20.B16, V4.B16; \
	VORR V21.B16, V21.B16, V5.B16; \
	VORR V22.B16, V22.B16, V6.B16; \
	VORR V23.B16, V23.B16, V7.B16; \
	CONVERT8; \
	LOADDST; \
	ADD  $800, R1, R22; \
	FLDPQ 0(R22), (F28, F29); \
	FLOAT(FMLS_4S); \
	STOREDST; \
nomin: \
	ADD  $832, R1; \
	SUBS $1, R16; \
	BNE  block; \
	RET

// The sums of 32 products are below 2**22. Begun from the bits of 1.5 * 2**23, as
// float32 they are that number and the sum: one subtraction makes them exact, where
// conversions go through one pipe of several.
#define BIASED8 \
	VORR V31.B16, V31.B16, V0.B16; \
	VORR V31.B16, V31.B16, V1.B16; \
	VORR V31.B16, V31.B16, V2.B16; \
	VORR V31.B16, V31.B16, V3.B16; \
	VORR V31.B16, V31.B16, V4.B16; \
	VORR V31.B16, V31.B16, V5.B16; \
	VORR V31.B16, V31.B16, V6.B16; \
	VORR V31.B16, V31.B16, V7.B16

#define UNBIAS8 \
	FSUB_4S(0, 0, 31); \
	FSUB_4S(1, 1, 31); \
	FSUB_4S(2, 2, 31); \
	FSUB_4S(3, 3, 31); \
	FSUB_4S(4, 4, 31); \
	FSUB_4S(5, 5, 31); \
	FSUB_4S(6, 6, 31); \
	FSUB_4S(7, 7, 31)

#define NONE

#define ROWLANES07 \
	ROWLANES(V0, V1, V2, V3, V4, V5, V6, V7)

// OFFSET adds the product of the minima in V28 and V29 with the sum of a column's
// block, whose two halves of 16 bits lie at p.
#define OFFSET(p, lo, hi, i) \
	VLD1R.P 4(p), [V17.S4]; \
	SADDLP_4S(17, 17); \
	SCVTF_4S(17, 17); \
	FMUL_4S_S(16, 28, 30, i); \
	FMLA_4S(lo, 17, 16); \
	FMUL_4S_S(16, 29, 30, i); \
	FMLA_4S(hi, 17, 16)

// MULSMALL: R19 narrow, R20 min. The products stay in V8-V15.
#define MULSMALL(STEP, ORDER) \
	MOVD  dst+0(FP), R0; \
	MOVD  t+8(FP), R1; \
	MOVD  c+16(FP), R2; \
	MOVBU narrow+24(FP), R19; \
	MOVBU min+25(FP), R20; \
	LOADCOLUMNS; \
	MOVW  $0x4b400000, R3; \
	VDUP  R3, V31.S4; \
	ZERO8(V8, V9, V10, V11, V12, V13, V14, V15); \
block: \
	ADD  $256, R1, R2; \
	BIASED8; \
	STEP; \
	CBZ  R19, whole; \
	ORDER; \
	UNBIAS8; \
	FMOVS (R8), F30; \
	VLD1 (R9), V30.S[1]; \
	VLD1 (R10), V30.S[2]; \
	VLD1 (R11), V30.S[3]; \
	FLDPQ (R2), (F28, F29); \
	FLOAT(FMLA_4S); \
	ADD  $32, R2; \
	BIASED8; \
whole: \
	STEP; \
	ORDER; \
	UNBIAS8; \
	COLUMNSCALES; \
	FLDPQ (R2), (F28, F29); \
	FLOAT(FMLA_4S); \
	CBZ  R20, nomin; \
	ADD  $64, R1, R2; \
	FLDPQ (R2), (F28, F29); \
	OFFSET(R12, 8, 12, 0); \
	OFFSET(R13, 9, 13, 1); \
	OFFSET(R14, 10, 14, 2); \
	OFFSET(R15, 11, 15, 3); \
nomin: \
	ADD  $96, R1; \
	SUBS $1, R16; \
	BNE  block; \
	STOREDST; \
	RET

// func pairColumns(dst *int8, c *tileActs, n int)
TEXT ·pairColumns(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD c+8(FP), R2
	MOVD n+16(FP), R3
	LDP  0(R2), (R4, R5)
	LDP  16(R2), (R6, R7)

loop:
	VLD1.P 16(R4), [V16.B16]
	VLD1.P 16(R5), [V17.B16]
	VLD1.P 16(R6), [V18.B16]
	VLD1.P 16(R7), [V19.B16]
	VZIP1  V17.D2, V16.D2, V0.D2
	VZIP1  V19.D2, V18.D2, V1.D2
	VZIP2  V17.D2, V16.D2, V2.D2
	VZIP2  V19.D2, V18.D2, V3.D2
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	SUBS   $1, R3
	BNE    loop
	RET

// func mulSuperSDOT(dst *products, t *superTile, c *tileActs, wide, min bool)
TEXT ·mulSuperSDOT(SB), NOSPLIT, $0-26
	MULSUPER(STEPSDOT, SCALESDOT, ORDERSDOT)

// func mulSuperSMMLA(dst *products, t *superTile, c *tileActs, wide, min bool)
TEXT ·mulSuperSMMLA(SB), NOSPLIT, $0-26
	MULSUPER(STEPSMMLA, SCALESMMLA, ORDERSMMLA)

// func mulSmallSDOT(dst *products, t *smallTile, c *tileActs, narrow, min bool)
TEXT ·mulSmallSDOT(SB), NOSPLIT, $0-26
	MULSMALL(STEPSDOT, NONE)

// func mulSmallSMMLA(dst *products, t *smallTile, c *tileActs, narrow, min bool)
TEXT ·mulSmallSMMLA(SB), NOSPLIT, $0-26
	MULSMALL(STEPSMMLA, ROWLANES07)
