//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

#define ZERO4(a, b, c, d) \
	VMOVI $0, a.B16; \
	VMOVI $0, b.B16; \
	VMOVI $0, c.B16; \
	VMOVI $0, d.B16

// A group of 16 weights at p to V20-V23.
#define LOADF32(p) \
	VLD1.P 64(p), [V20.S4, V21.S4, V22.S4, V23.S4]

#define LOADF16(p) \
	VLD1.P 32(p), [V24.H8, V25.H8]; \
	FCVTL_4S(20, 24); \
	FCVTL2_4S(21, 24); \
	FCVTL_4S(22, 25); \
	FCVTL2_4S(23, 25)

#define LOADBF16(p) \
	VLD1.P 32(p), [V24.H8, V25.H8]; \
	SHLL_4S(20, 24); \
	SHLL2_4S(21, 24); \
	SHLL_4S(22, 25); \
	SHLL2_4S(23, 25)

#define FMLA16(a, b, c, d) \
	FMLA_4S(a, 20, 16); \
	FMLA_4S(b, 21, 17); \
	FMLA_4S(c, 22, 18); \
	FMLA_4S(d, 23, 19)

// The lanes of a row in four registers: l += l+8, l += l+4.
#define FOLD16(a, b, c, d) \
	FADD_4S(a, a, c); \
	FADD_4S(b, b, d); \
	FADD_4S(a, a, b)

// l += l+2, l += l+1 for the rows in a and b, results side by side in the low
// half of a pair: the first step brings the halves of two rows together.
#define FOLD4(a, b, s, t) \
	VZIP1 b.D2, a.D2, s.D2; \
	VZIP2 b.D2, a.D2, t.D2

// Row r has lanes V(4r) to V(4r+3).
#define DOTS4(LOAD) \
	MOVD dst+0(FP), R0; \
	MOVD w0+8(FP), R1; \
	MOVD w1+16(FP), R2; \
	MOVD w2+24(FP), R3; \
	MOVD w3+32(FP), R4; \
	MOVD x+40(FP), R5; \
	MOVD n+48(FP), R6; \
	MOVD tail+56(FP), R7; \
	ZERO4(V0, V1, V2, V3); \
	ZERO4(V4, V5, V6, V7); \
	ZERO4(V8, V9, V10, V11); \
	ZERO4(V12, V13, V14, V15); \
	CBZ  R6, tail; \
loop: \
	VLD1.P 64(R5), [V16.S4, V17.S4, V18.S4, V19.S4]; \
	LOAD(R1); \
	FMLA16(0, 1, 2, 3); \
	LOAD(R2); \
	FMLA16(4, 5, 6, 7); \
	LOAD(R3); \
	FMLA16(8, 9, 10, 11); \
	LOAD(R4); \
	FMLA16(12, 13, 14, 15); \
	SUB  $1, R6; \
	CBNZ R6, loop; \
tail: \
	CBZ  R7, fold; \
	ADD  $256, R7, R5; \
	VLD1 (R5), [V16.S4, V17.S4, V18.S4, V19.S4]; \
	LOADF32(R7); \
	FMLA16(0, 1, 2, 3); \
	LOADF32(R7); \
	FMLA16(4, 5, 6, 7); \
	LOADF32(R7); \
	FMLA16(8, 9, 10, 11); \
	LOADF32(R7); \
	FMLA16(12, 13, 14, 15); \
fold: \
	FOLD16(0, 1, 2, 3); \
	FOLD16(4, 5, 6, 7); \
	FOLD16(8, 9, 10, 11); \
	FOLD16(12, 13, 14, 15); \
	FOLD4(V0, V4, V16, V17); \
	FADD_4S(16, 16, 17); \
	FOLD4(V8, V12, V18, V19); \
	FADD_4S(18, 18, 19); \
	FADDP_4S(16, 16, 18); \
	VST1 [V16.S4], (R0); \
	RET

// func dots4F32(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, x *float32, n int, tail *float32)
TEXT ·dots4F32(SB), NOSPLIT, $0-64
	DOTS4(LOADF32)

// func dots4F16(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, x *float32, n int, tail *float32)
TEXT ·dots4F16(SB), NOSPLIT, $0-64
	DOTS4(LOADF16)

// func dots4BF16(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, x *float32, n int, tail *float32)
TEXT ·dots4BF16(SB), NOSPLIT, $0-64
	DOTS4(LOADBF16)

// Four lanes of both rows and three columns, off bytes into the group. Lanes 4q
// to 4q+3 of row r and column c are in V(12r+4c+q).
#define QUARTER(off, a0, a1, a2, b0, b1, b2) \
	FMOVQ off(R1), F24; \
	FMOVQ off(R2), F25; \
	FMOVQ off(R3), F26; \
	FMOVQ off(R4), F27; \
	FMOVQ off(R5), F28; \
	FMLA_4S(a0, 24, 26); \
	FMLA_4S(a1, 24, 27); \
	FMLA_4S(a2, 24, 28); \
	FMLA_4S(b0, 25, 26); \
	FMLA_4S(b1, 25, 27); \
	FMLA_4S(b2, 25, 28)

// func dots2x3(dst *[8]float32, w0, w1, x0, x1, x2 unsafe.Pointer, n int, tail *float32)
TEXT ·dots2x3(SB), NOSPLIT, $0-64
	MOVD dst+0(FP), R0
	MOVD w0+8(FP), R1
	MOVD w1+16(FP), R2
	MOVD x0+24(FP), R3
	MOVD x1+32(FP), R4
	MOVD x2+40(FP), R5
	MOVD n+48(FP), R6
	MOVD tail+56(FP), R7
	ZERO4(V0, V1, V2, V3)
	ZERO4(V4, V5, V6, V7)
	ZERO4(V8, V9, V10, V11)
	ZERO4(V12, V13, V14, V15)
	ZERO4(V16, V17, V18, V19)
	ZERO4(V20, V21, V22, V23)
	CBZ  R6, tail

loop:
	QUARTER(0, 0, 4, 8, 12, 16, 20)
	QUARTER(16, 1, 5, 9, 13, 17, 21)
	QUARTER(32, 2, 6, 10, 14, 18, 22)
	QUARTER(48, 3, 7, 11, 15, 19, 23)
	ADD  $64, R1
	ADD  $64, R2
	ADD  $64, R3
	ADD  $64, R4
	ADD  $64, R5
	SUB  $1, R6
	CBNZ R6, loop

tail:
	CBZ  R7, fold
	MOVD R7, R1
	ADD  $64, R7, R2
	ADD  $128, R7, R3
	ADD  $192, R7, R4
	ADD  $256, R7, R5
	MOVD $0, R7
	MOVD $1, R6
	B    loop

fold:
	FOLD16(0, 1, 2, 3)
	FOLD16(4, 5, 6, 7)
	FOLD16(8, 9, 10, 11)
	FOLD16(12, 13, 14, 15)
	FOLD16(16, 17, 18, 19)
	FOLD16(20, 21, 22, 23)
	FOLD4(V0, V4, V24, V25)
	FADD_4S(24, 24, 25)
	FOLD4(V8, V12, V26, V27)
	FADD_4S(26, 26, 27)
	FOLD4(V16, V20, V28, V29)
	FADD_4S(28, 28, 29)
	FADDP_4S(24, 24, 26)
	FADDP_4S(28, 28, 28)
	VST1 [V24.S4], (R0)
	FMOVQ F28, 16(R0)
	RET

// func convertF16(dst *float32, src *byte, n int)
TEXT ·convertF16(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2

loop:
	VLD1.P 16(R1), [V0.H8]
	FCVTL_4S(1, 0)
	FCVTL2_4S(2, 0)
	VST1.P [V1.S4, V2.S4], 32(R0)
	SUBS   $1, R2
	BNE    loop
	RET

// func convertBF16(dst *float32, src *byte, n int)
TEXT ·convertBF16(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2

loop:
	VLD1.P 16(R1), [V0.H8]
	SHLL_4S(1, 0)
	SHLL2_4S(2, 0)
	VST1.P [V1.S4, V2.S4], 32(R0)
	SUBS   $1, R2
	BNE    loop
	RET
