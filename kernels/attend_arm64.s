//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// func joinGroups(dst, x *float32, n int, c, b float32)
TEXT ·joinGroups(SB), NOSPLIT, $0-32
	MOVD  dst+0(FP), R0
	MOVD  x+8(FP), R1
	MOVD  n+16(FP), R2
	FMOVS c+24(FP), F30
	FMOVS b+28(FP), F31
	CBZ   R2, done

loop:
	VLD1   (R0), [V0.S4]
	VLD1.P 16(R1), [V1.S4]
	FMUL_4S_S(0, 0, 30, 0)
	FMLA_4S_S(0, 1, 31, 0)
	VST1.P [V0.S4], 16(R0)
	SUBS   $1, R2
	BNE    loop

done:
	RET

#define QUERY(p, a, b, c, d) \
	FMOVS.P 4(p), F20; \
	FMLA_4S_S(a, 16, 20, 0); \
	FMLA_4S_S(b, 17, 20, 0); \
	FMLA_4S_S(c, 18, 20, 0); \
	FMLA_4S_S(d, 19, 20, 0)

#define ZERO4(a, b, c, d) \
	VEOR a.B16, a.B16, a.B16; \
	VEOR b.B16, b.B16, b.B16; \
	VEOR c.B16, c.B16, c.B16; \
	VEOR d.B16, d.B16, d.B16

// func sums4x16(dst *float32, ld int, p *float32, v unsafe.Pointer, stride, n int)
TEXT ·sums4x16(SB), NOSPLIT, $0-48
	MOVD dst+0(FP), R0
	MOVD ld+8(FP), R1
	MOVD p+16(FP), R2
	MOVD v+24(FP), R3
	MOVD stride+32(FP), R4
	MOVD n+40(FP), R5
	ADD  $256, R2, R6 // AttnBlock float32
	ADD  $256, R6, R7
	ADD  $256, R7, R8
	ZERO4(V0, V1, V2, V3)
	ZERO4(V4, V5, V6, V7)
	ZERO4(V8, V9, V10, V11)
	ZERO4(V12, V13, V14, V15)

loop:
	VLD1 (R3), [V16.S4, V17.S4, V18.S4, V19.S4]
	ADD  R4, R3
	QUERY(R2, 0, 1, 2, 3)
	QUERY(R6, 4, 5, 6, 7)
	QUERY(R7, 8, 9, 10, 11)
	QUERY(R8, 12, 13, 14, 15)
	SUBS $1, R5
	BNE  loop

	LSL  $2, R1
	VST1 [V0.S4, V1.S4, V2.S4, V3.S4], (R0)
	ADD  R1, R0
	VST1 [V4.S4, V5.S4, V6.S4, V7.S4], (R0)
	ADD  R1, R0
	VST1 [V8.S4, V9.S4, V10.S4, V11.S4], (R0)
	ADD  R1, R0
	VST1 [V12.S4, V13.S4, V14.S4, V15.S4], (R0)
	RET

// func sums1x32(dst, p *float32, v unsafe.Pointer, stride, n int)
TEXT ·sums1x32(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD p+8(FP), R1
	MOVD v+16(FP), R2
	MOVD stride+24(FP), R3
	MOVD n+32(FP), R4
	ZERO4(V0, V1, V2, V3)
	ZERO4(V4, V5, V6, V7)

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

	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	VST1   [V4.S4, V5.S4, V6.S4, V7.S4], (R0)
	RET

// func sums1x4(dst, p *float32, v unsafe.Pointer, stride, n int)
TEXT ·sums1x4(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD p+8(FP), R1
	MOVD v+16(FP), R2
	MOVD stride+24(FP), R3
	MOVD n+32(FP), R4
	VEOR V0.B16, V0.B16, V0.B16

loop:
	FMOVS.P 4(R1), F20
	VLD1    (R2), [V16.S4]
	ADD     R3, R2
	FMLA_4S_S(0, 16, 20, 0)
	SUBS    $1, R4
	BNE     loop

	VST1 [V0.S4], (R0)
	RET
