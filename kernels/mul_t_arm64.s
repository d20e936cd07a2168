//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// ADD4 adds 16 columns of V16-V19, times the next weight at p.
#define ADD4(p, a, b, c, d) \
	FMOVS.P 4(p), F20; \
	FMLA_4S_S(a, 16, 20, 0); \
	FMLA_4S_S(b, 17, 20, 0); \
	FMLA_4S_S(c, 18, 20, 0); \
	FMLA_4S_S(d, 19, 20, 0)

// func sums4x16(dst *float32, ld int, p0, p1, p2, p3 *float32, v unsafe.Pointer, stride, n int)
TEXT ·sums4x16(SB), NOSPLIT, $0-72
	MOVD dst+0(FP), R0
	MOVD ld+8(FP), R1
	MOVD p0+16(FP), R2
	MOVD p1+24(FP), R6
	MOVD p2+32(FP), R7
	MOVD p3+40(FP), R8
	MOVD v+48(FP), R3
	MOVD stride+56(FP), R4
	MOVD n+64(FP), R5
	LSL  $2, R1
	ADD  R1, R0, R9
	ADD  R1, R9, R10
	ADD  R1, R10, R11
	VLD1 (R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1 (R9), [V4.S4, V5.S4, V6.S4, V7.S4]
	VLD1 (R10), [V8.S4, V9.S4, V10.S4, V11.S4]
	VLD1 (R11), [V12.S4, V13.S4, V14.S4, V15.S4]

loop:
	VLD1 (R3), [V16.S4, V17.S4, V18.S4, V19.S4]
	ADD  R4, R3
	ADD4(R2, 0, 1, 2, 3)
	ADD4(R6, 4, 5, 6, 7)
	ADD4(R7, 8, 9, 10, 11)
	ADD4(R8, 12, 13, 14, 15)
	SUBS $1, R5
	BNE  loop

	VST1 [V0.S4, V1.S4, V2.S4, V3.S4], (R0)
	VST1 [V4.S4, V5.S4, V6.S4, V7.S4], (R9)
	VST1 [V8.S4, V9.S4, V10.S4, V11.S4], (R10)
	VST1 [V12.S4, V13.S4, V14.S4, V15.S4], (R11)
	RET

// func sums1x32(dst, p *float32, v unsafe.Pointer, stride, n int)
TEXT ·sums1x32(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD p+8(FP), R1
	MOVD v+16(FP), R2
	MOVD stride+24(FP), R3
	MOVD n+32(FP), R4
	ADD  $64, R0, R6
	VLD1 (R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1 (R6), [V4.S4, V5.S4, V6.S4, V7.S4]

loop:
	FMOVS.P 4(R1), F20
	ADD     $64, R2, R5
	VLD1    (R2), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1    (R5), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADD     R3, R2
	FMLA_4S_S(0, 16, 20, 0)
	FMLA_4S_S(1, 17, 20, 0)
	FMLA_4S_S(2, 18, 20, 0)
	FMLA_4S_S(3, 19, 20, 0)
	FMLA_4S_S(4, 24, 20, 0)
	FMLA_4S_S(5, 25, 20, 0)
	FMLA_4S_S(6, 26, 20, 0)
	FMLA_4S_S(7, 27, 20, 0)
	SUBS    $1, R4
	BNE     loop

	VST1 [V0.S4, V1.S4, V2.S4, V3.S4], (R0)
	VST1 [V4.S4, V5.S4, V6.S4, V7.S4], (R6)
	RET

// func sums1x4(dst, p *float32, v unsafe.Pointer, stride, n int)
TEXT ·sums1x4(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD p+8(FP), R1
	MOVD v+16(FP), R2
	MOVD stride+24(FP), R3
	MOVD n+32(FP), R4
	VLD1 (R0), [V0.S4]

loop:
	FMOVS.P 4(R1), F20
	VLD1    (R2), [V16.S4]
	ADD     R3, R2
	FMLA_4S_S(0, 16, 20, 0)
	SUBS    $1, R4
	BNE     loop

	VST1 [V0.S4], (R0)
	RET
