//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// EXPCONST loads the constants of exp to V16-V27, in V28 +Inf; uses R9.
#define EXPCONST \
	MOVD   $·expConst(SB), R9; \
	VLD1R.P 4(R9), [V16.S4]; \
	VLD1R.P 4(R9), [V17.S4]; \
	VLD1R.P 4(R9), [V18.S4]; \
	VLD1R.P 4(R9), [V19.S4]; \
	VLD1R.P 4(R9), [V20.S4]; \
	VLD1R.P 4(R9), [V21.S4]; \
	VLD1R.P 4(R9), [V22.S4]; \
	VLD1R.P 4(R9), [V23.S4]; \
	VLD1R.P 4(R9), [V24.S4]; \
	VLD1R.P 4(R9), [V25.S4]; \
	VLD1R.P 4(R9), [V26.S4]; \
	VLD1R  (R9), [V27.S4]; \
	MOVW   $0x7f800000, R9; \
	VDUP   R9, V28.S4

// EXP sets V1 to e**V0, changing V2-V5; the steps are those of Exp in exp.go.
// Lanes beyond expMax and expMin, which may have overflowed on the way, are
// overwritten at the end; NaN passes through.
#define EXP \
	FMUL_4S(2, 0, 16); \
	FRINTN_4S(2, 2); \
	VORR V0.B16, V0.B16, V3.B16; \
	FMLS_4S(3, 2, 17); \
	FMLS_4S(3, 2, 18); \
	VORR V20.B16, V20.B16, V1.B16; \
	FMLA_4S(1, 19, 3); \
	VORR V21.B16, V21.B16, V4.B16; \
	FMLA_4S(4, 1, 3); \
	VORR V22.B16, V22.B16, V1.B16; \
	FMLA_4S(1, 4, 3); \
	VORR V23.B16, V23.B16, V4.B16; \
	FMLA_4S(4, 1, 3); \
	VORR V24.B16, V24.B16, V1.B16; \
	FMLA_4S(1, 4, 3); \
	FMUL_4S(4, 3, 3); \
	FMLA_4S(3, 1, 4); \
	FADD_4S(1, 3, 25); \
	FCVTNS_4S(2, 2); \
	SSHR_4S(3, 2, 1); \
	VSUB V3.S4, V2.S4, V2.S4; \
	VSHL $23, V3.S4, V3.S4; \
	VSHL $23, V2.S4, V2.S4; \
	VADD V25.S4, V3.S4, V3.S4; \
	VADD V25.S4, V2.S4, V2.S4; \
	FMUL_4S(1, 1, 3); \
	FMUL_4S(1, 1, 2); \
	FCMGT_4S(4, 0, 26); \
	FCMGT_4S(5, 27, 0); \
	VBIT V4.B16, V28.B16, V1.B16; \
	VMOVI $0, V4.B16; \
	VBIT V5.B16, V4.B16, V1.B16

// func maxGroups(x *float32, n int) float32
TEXT ·maxGroups(SB), NOSPLIT, $0-20
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	MOVW $0xff800000, R2
	VDUP R2, V0.S4
	VDUP R2, V1.S4
	VDUP R2, V2.S4
	VDUP R2, V3.S4
	CBZ  R1, done

loop:
	VLD1.P 64(R0), [V4.S4, V5.S4, V6.S4, V7.S4]
	FCMGT_4S(16, 4, 0)
	FCMGT_4S(17, 5, 1)
	FCMGT_4S(18, 6, 2)
	FCMGT_4S(19, 7, 3)
	VBIT V16.B16, V4.B16, V0.B16
	VBIT V17.B16, V5.B16, V1.B16
	VBIT V18.B16, V6.B16, V2.B16
	VBIT V19.B16, V7.B16, V3.B16
	SUB  $1, R1
	CBNZ R1, loop

	FCMGT_4S(16, 1, 0)
	VBIT V16.B16, V1.B16, V0.B16
	FCMGT_4S(17, 3, 2)
	VBIT V17.B16, V3.B16, V2.B16
	FCMGT_4S(16, 2, 0)
	VBIT V16.B16, V2.B16, V0.B16

done:
	FMAXNMV_4S(0, 0)
	FMOVS F0, ret+16(FP)
	RET

// func expGroups(lane *[16]float32, dst, x *float32, n int, m float32)
TEXT ·expGroups(SB), NOSPLIT, $0-36
	MOVD  lane+0(FP), R0
	MOVD  dst+8(FP), R1
	MOVD  x+16(FP), R2
	MOVD  n+24(FP), R3
	MOVWU m+32(FP), R4
	VDUP  R4, V29.S4
	EXPCONST
	VLD1  (R0), [V8.S4, V9.S4, V10.S4, V11.S4]
	CBZ   R3, done

loop:
	VLD1.P 16(R2), [V0.S4]
	FSUB_4S(0, 0, 29)
	EXP
	FADD_4S(8, 8, 1)
	VST1.P [V1.S4], 16(R1)
	VLD1.P 16(R2), [V0.S4]
	FSUB_4S(0, 0, 29)
	EXP
	FADD_4S(9, 9, 1)
	VST1.P [V1.S4], 16(R1)
	VLD1.P 16(R2), [V0.S4]
	FSUB_4S(0, 0, 29)
	EXP
	FADD_4S(10, 10, 1)
	VST1.P [V1.S4], 16(R1)
	VLD1.P 16(R2), [V0.S4]
	FSUB_4S(0, 0, 29)
	EXP
	FADD_4S(11, 11, 1)
	VST1.P [V1.S4], 16(R1)
	SUBS   $1, R3
	BNE    loop

done:
	VST1 [V8.S4, V9.S4, V10.S4, V11.S4], (R0)
	RET

// func divGroups(dst *float32, n int, a float32)
TEXT ·divGroups(SB), NOSPLIT, $0-20
	MOVD  dst+0(FP), R0
	MOVD  n+8(FP), R1
	MOVWU a+16(FP), R2
	VDUP  R2, V1.S4
	CBZ   R1, done

loop:
	VLD1 (R0), [V0.S4]
	FDIV_4S(0, 0, 1)
	VST1.P [V0.S4], 16(R0)
	SUBS   $1, R1
	BNE    loop

done:
	RET

// func swiGLUGroups(dst, gate, up *float32, n int)
TEXT ·swiGLUGroups(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), R0
	MOVD gate+8(FP), R1
	MOVD up+16(FP), R2
	MOVD n+24(FP), R3
	EXPCONST
	CBZ  R3, done

loop:
	VLD1.P 16(R1), [V6.S4]
	VLD1.P 16(R2), [V7.S4]
	FNEG_4S(0, 6)
	EXP
	FADD_4S(1, 25, 1)
	FDIV_4S(1, 6, 1)
	FMUL_4S(1, 1, 7)
	VST1.P [V1.S4], 16(R0)
	SUBS   $1, R3
	BNE    loop

done:
	RET

// func swiGLUClampedGroups(dst, gate, up *float32, n int, alpha, limit float32)
TEXT ·swiGLUClampedGroups(SB), NOSPLIT, $0-40
	MOVD  dst+0(FP), R0
	MOVD  gate+8(FP), R1
	MOVD  up+16(FP), R2
	MOVD  n+24(FP), R3
	MOVWU alpha+32(FP), R4
	MOVWU limit+36(FP), R5
	VDUP  R4, V29.S4
	VDUP  R5, V30.S4
	FNEG_4S(31, 30)
	EXPCONST
	CBZ   R3, done

loop:
	VLD1.P 16(R1), [V6.S4]
	VLD1.P 16(R2), [V7.S4]
	FCMGT_4S(0, 6, 30)
	VBIT   V0.B16, V30.B16, V6.B16
	FCMGT_4S(0, 7, 30)
	VBIT   V0.B16, V30.B16, V7.B16
	FCMGT_4S(0, 31, 7)
	VBIT   V0.B16, V31.B16, V7.B16
	FMUL_4S(0, 29, 6)
	FNEG_4S(0, 0)
	EXP
	FADD_4S(1, 25, 1)
	FDIV_4S(1, 25, 1)
	FMUL_4S(1, 6, 1)
	FADD_4S(7, 7, 25)
	FMUL_4S(1, 7, 1)
	VST1.P [V1.S4], 16(R0)
	SUBS   $1, R3
	BNE    loop

done:
	RET
