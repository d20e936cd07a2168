//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// func dotGroups(a, b *float32, n int, tail *float32) float32
TEXT ·dotGroups(SB), NOSPLIT, $0-36
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVD n+16(FP), R2
	MOVD tail+24(FP), R3
	VMOVI $0, V0.B16
	VMOVI $0, V1.B16
	VMOVI $0, V2.B16
	VMOVI $0, V3.B16
	CBZ  R2, tail

loop:
	VLD1.P 64(R0), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1.P 64(R1), [V20.S4, V21.S4, V22.S4, V23.S4]
	FMLA_4S(0, 16, 20)
	FMLA_4S(1, 17, 21)
	FMLA_4S(2, 18, 22)
	FMLA_4S(3, 19, 23)
	SUB  $1, R2
	CBNZ R2, loop

tail:
	CBZ  R3, tree
	MOVD R3, R0
	ADD  $64, R3, R1
	MOVD $0, R3
	MOVD $1, R2
	B    loop

tree:
	FADD_4S(0, 0, 2)
	FADD_4S(1, 1, 3)
	FADD_4S(0, 0, 1)
	VEXT $8, V0.B16, V0.B16, V1.B16
	FADD_4S(0, 0, 1)
	FADDP_2S(0, 0)
	FMOVS F0, ret+32(FP)
	RET

// func axpyGroups(dst, x *float32, n int, a float32)
TEXT ·axpyGroups(SB), NOSPLIT, $0-28
	MOVD  dst+0(FP), R0
	MOVD  x+8(FP), R1
	MOVD  n+16(FP), R2
	FMOVS a+24(FP), F31
	MOVD  R0, R3
	SUBS  $4, R2
	BLT   rest

loop:
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R1), [V4.S4, V5.S4, V6.S4, V7.S4]
	FMLA_4S_S(0, 4, 31, 0)
	FMLA_4S_S(1, 5, 31, 0)
	FMLA_4S_S(2, 6, 31, 0)
	FMLA_4S_S(3, 7, 31, 0)
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R3)
	SUBS  $4, R2
	BGE   loop

rest:
	ADDS $4, R2
	BEQ  done

one:
	VLD1.P 16(R0), [V0.S4]
	VLD1.P 16(R1), [V4.S4]
	FMLA_4S_S(0, 4, 31, 0)
	VST1.P [V0.S4], 16(R3)
	SUBS   $1, R2
	BNE    one

done:
	RET

// func addGroups(dst, x *float32, n int)
TEXT ·addGroups(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD n+16(FP), R2
	MOVD R0, R3
	SUBS $4, R2
	BLT  rest

loop:
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R1), [V4.S4, V5.S4, V6.S4, V7.S4]
	FADD_4S(0, 0, 4)
	FADD_4S(1, 1, 5)
	FADD_4S(2, 2, 6)
	FADD_4S(3, 3, 7)
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R3)
	SUBS $4, R2
	BGE  loop

rest:
	ADDS $4, R2
	BEQ  done

one:
	VLD1.P 16(R0), [V0.S4]
	VLD1.P 16(R1), [V4.S4]
	FADD_4S(0, 0, 4)
	VST1.P [V0.S4], 16(R3)
	SUBS   $1, R2
	BNE    one

done:
	RET

// func scaleGroups(dst, x, w *float32, n int, r float32)
TEXT ·scaleGroups(SB), NOSPLIT, $0-36
	MOVD  dst+0(FP), R0
	MOVD  x+8(FP), R1
	MOVD  w+16(FP), R2
	MOVD  n+24(FP), R3
	FMOVS r+32(FP), F31
	CBZ   R3, done
	CBZ   R2, plain

weighted:
	VLD1.P 16(R1), [V0.S4]
	VLD1.P 16(R2), [V1.S4]
	FMUL_4S_S(0, 0, 31, 0)
	FMUL_4S(0, 1, 0)
	VST1.P [V0.S4], 16(R0)
	SUBS   $1, R3
	BNE    weighted
	RET

plain:
	VLD1.P 16(R1), [V0.S4]
	FMUL_4S_S(0, 0, 31, 0)
	VST1.P [V0.S4], 16(R0)
	SUBS   $1, R3
	BNE    plain

done:
	RET

// ROTATE turns V0, V1 by the angles whose cosines are V2, sines V3: V4, V5.
#define ROTATE \
	FMUL_4S(4, 0, 2); \
	FMUL_4S(6, 1, 3); \
	FMUL_4S(5, 1, 2); \
	FMUL_4S(7, 0, 3); \
	FSUB_4S(4, 4, 6); \
	FADD_4S(5, 5, 7)

// func rotateHalfGroups(x, y, cos, sin *float32, n int)
TEXT ·rotateHalfGroups(SB), NOSPLIT, $0-40
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD cos+16(FP), R2
	MOVD sin+24(FP), R3
	MOVD n+32(FP), R4
	CBZ  R4, done

loop:
	VLD1   (R0), [V0.S4]
	VLD1   (R1), [V1.S4]
	VLD1.P 16(R2), [V2.S4]
	VLD1.P 16(R3), [V3.S4]
	ROTATE
	VST1.P [V4.S4], 16(R0)
	VST1.P [V5.S4], 16(R1)
	SUBS   $1, R4
	BNE    loop

done:
	RET

// func rotatePairsGroups(x, cos, sin *float32, n int)
TEXT ·rotatePairsGroups(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD cos+8(FP), R2
	MOVD sin+16(FP), R3
	MOVD n+24(FP), R4
	CBZ  R4, done

loop:
	VLD2   (R0), [V0.S4, V1.S4]
	VLD1.P 16(R2), [V2.S4]
	VLD1.P 16(R3), [V3.S4]
	ROTATE
	VST2.P [V4.S4, V5.S4], 32(R0)
	SUBS   $1, R4
	BNE    loop

done:
	RET
