//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// ROWS sets R1-R8 to eight neighbouring blocks from R1 on.
#define ROWS(size) \
	ADD $size, R1, R2; \
	ADD $size, R2, R3; \
	ADD $size, R3, R4; \
	ADD $size, R4, R5; \
	ADD $size, R5, R6; \
	ADD $size, R6, R7; \
	ADD $size, R7, R8

// LOAD8 reads 16 bytes of each row to V0-V7.
#define LOAD8 \
	VLD1.P 16(R1), [V0.B16]; \
	VLD1.P 16(R2), [V1.B16]; \
	VLD1.P 16(R3), [V2.B16]; \
	VLD1.P 16(R4), [V3.B16]; \
	VLD1.P 16(R5), [V4.B16]; \
	VLD1.P 16(R6), [V5.B16]; \
	VLD1.P 16(R7), [V6.B16]; \
	VLD1.P 16(R8), [V7.B16]

// TRANSPOSE4 turns (row, word) in a-d to (word, row) in w-z; changes V8-V11.
#define TRANSPOSE4(a, b, c, d, w, x, y, z) \
	VTRN1 b.S4, a.S4, V8.S4; \
	VTRN2 b.S4, a.S4, V9.S4; \
	VTRN1 d.S4, c.S4, V10.S4; \
	VTRN2 d.S4, c.S4, V11.S4; \
	VTRN1 V10.D2, V8.D2, w.D2; \
	VTRN1 V11.D2, V9.D2, x.D2; \
	VTRN2 V10.D2, V8.D2, y.D2; \
	VTRN2 V11.D2, V9.D2, z.D2

// CODES4 stores 16 codes of eight rows as (k/4, row, 4), CODES8 as (k/8, row, 8).
#define CODES4 \
	LOAD8; \
	TRANSPOSE4(V0, V1, V2, V3, V16, V18, V20, V22); \
	TRANSPOSE4(V4, V5, V6, V7, V17, V19, V21, V23); \
	VST1.P [V16.B16, V17.B16, V18.B16, V19.B16], 64(R0); \
	VST1.P [V20.B16, V21.B16, V22.B16, V23.B16], 64(R0)

#define CODES8 \
	LOAD8; \
	VZIP1 V1.D2, V0.D2, V16.D2; \
	VZIP1 V3.D2, V2.D2, V17.D2; \
	VZIP1 V5.D2, V4.D2, V18.D2; \
	VZIP1 V7.D2, V6.D2, V19.D2; \
	VZIP2 V1.D2, V0.D2, V20.D2; \
	VZIP2 V3.D2, V2.D2, V21.D2; \
	VZIP2 V5.D2, V4.D2, V22.D2; \
	VZIP2 V7.D2, V6.D2, V23.D2; \
	VST1.P [V16.B16, V17.B16, V18.B16, V19.B16], 64(R0); \
	VST1.P [V20.B16, V21.B16, V22.B16, V23.B16], 64(R0)

// SHORTS reads eight int16 of each row and turns them to (value, row) in V16-V23.
#define SHORTS \
	LOAD8; \
	VTRN1 V1.H8, V0.H8, V24.H8; \
	VTRN2 V1.H8, V0.H8, V25.H8; \
	VTRN1 V3.H8, V2.H8, V26.H8; \
	VTRN2 V3.H8, V2.H8, V27.H8; \
	VTRN1 V5.H8, V4.H8, V28.H8; \
	VTRN2 V5.H8, V4.H8, V29.H8; \
	VTRN1 V7.H8, V6.H8, V30.H8; \
	VTRN2 V7.H8, V6.H8, V31.H8; \
	TRANSPOSE4(V24, V26, V28, V30, V16, V18, V20, V22); \
	TRANSPOSE4(V25, V27, V29, V31, V17, V19, V21, V23)

#define WIDEN(n) \
	SXTL_4S(0, n); \
	SXTL2_4S(1, n); \
	VST1.P [V0.S4, V1.S4], 32(R0)

#define SCALES \
	SHORTS; \
	WIDEN(16); \
	WIDEN(17); \
	WIDEN(18); \
	WIDEN(19); \
	WIDEN(20); \
	WIDEN(21); \
	WIDEN(22); \
	WIDEN(23)

#define MINS \
	SHORTS; \
	VST1.P [V16.H8, V17.H8, V18.H8, V19.H8], 64(R0); \
	VST1.P [V20.H8, V21.H8, V22.H8, V23.H8], 64(R0)

// PAIRS turns (row, 2) float32 to (2, row).
#define PAIRS \
	VLD1.P 8(R1), V0.D[0]; \
	VLD1.P 8(R2), V0.D[1]; \
	VLD1.P 8(R3), V1.D[0]; \
	VLD1.P 8(R4), V1.D[1]; \
	VLD1.P 8(R5), V2.D[0]; \
	VLD1.P 8(R6), V2.D[1]; \
	VLD1.P 8(R7), V3.D[0]; \
	VLD1.P 8(R8), V3.D[1]; \
	VUZP1 V1.S4, V0.S4, V4.S4; \
	VUZP1 V3.S4, V2.S4, V5.S4; \
	VUZP2 V1.S4, V0.S4, V6.S4; \
	VUZP2 V3.S4, V2.S4, V7.S4; \
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R0)

#define FILLSUPER(CODES) \
	MOVD t+0(FP), R0; \
	MOVD b+8(FP), R1; \
	ROWS(328); \
	MOVD $16, R9; \
codes: \
	CODES; \
	SUBS $1, R9; \
	BNE  codes; \
	SCALES; \
	SCALES; \
	MINS; \
	MINS; \
	PAIRS; \
	RET

#define FILLSMALL(CODES) \
	MOVD t+0(FP), R0; \
	MOVD b+8(FP), R1; \
	ROWS(44); \
	CODES; \
	CODES; \
	PAIRS; \
	VLD1 (R1), V0.S[0]; \
	VLD1 (R2), V0.S[1]; \
	VLD1 (R3), V0.S[2]; \
	VLD1 (R4), V0.S[3]; \
	VLD1 (R5), V1.S[0]; \
	VLD1 (R6), V1.S[1]; \
	VLD1 (R7), V1.S[2]; \
	VLD1 (R8), V1.S[3]; \
	VST1 [V0.S4, V1.S4], (R0); \
	RET

// func fillSuperSDOT(t *superTile, b *[tileRows]Super)
TEXT ·fillSuperSDOT(SB), NOSPLIT, $0-16
	FILLSUPER(CODES4)

// func fillSuperSMMLA(t *superTile, b *[tileRows]Super)
TEXT ·fillSuperSMMLA(SB), NOSPLIT, $0-16
	FILLSUPER(CODES8)

// func fillSmallSDOT(t *smallTile, b *[tileRows]Small)
TEXT ·fillSmallSDOT(SB), NOSPLIT, $0-16
	FILLSMALL(CODES4)

// func fillSmallSMMLA(t *smallTile, b *[tileRows]Small)
TEXT ·fillSmallSMMLA(SB), NOSPLIT, $0-16
	FILLSMALL(CODES8)
