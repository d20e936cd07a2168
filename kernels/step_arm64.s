//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// SUB4 adds four sub-blocks of 16 to V4: their codes at R1, the column's at R2,
// scales in lanes of s.
#define SUB4(s) \
	VLD1.P 64(R1), [V16.B16, V17.B16, V18.B16, V19.B16]; \
	VLD1.P 64(R2), [V20.B16, V21.B16, V22.B16, V23.B16]; \
	VMOVI $0, V24.B16; \
	VMOVI $0, V25.B16; \
	VMOVI $0, V26.B16; \
	VMOVI $0, V27.B16; \
	SDOT_4S(24, 16, 20); \
	SDOT_4S(25, 17, 21); \
	SDOT_4S(26, 18, 22); \
	SDOT_4S(27, 19, 23); \
	MLA_4S_S(4, 24, s, 0); \
	MLA_4S_S(4, 25, s, 1); \
	MLA_4S_S(4, 26, s, 2); \
	MLA_4S_S(4, 27, s, 3)

// func stepSuper(acc float32, b *Super, q *int8, sums *int16, d float32, min bool) float32
TEXT ·stepSuper(SB), NOSPLIT, $0-44
	FMOVS acc+0(FP), F0
	MOVD  b+8(FP), R1
	MOVD  q+16(FP), R2
	MOVD  sums+24(FP), R3
	FMOVS d+32(FP), F1
	MOVBU min+36(FP), R4
	ADD   $256, R1, R5
	VLD1  (R5), [V28.H8, V29.H8, V30.H8, V31.H8]
	ADD   $320, R1, R5
	FLDPS (R5), (F2, F3)
	VMOVI $0, V4.B16
	SXTL_4S(5, 28)
	SXTL2_4S(6, 28)
	SXTL_4S(7, 29)
	SXTL2_4S(8, 29)
	SUB4(5)
	SUB4(6)
	SUB4(7)
	SUB4(8)
	VADDV  V4.S4, V4
	SCVTF_4S(4, 4)
	FMULS  F1, F2, F2
	FMADDS F2, F0, F4, F0
	CBZ    R4, done
	VLD1   (R3), [V16.H8, V17.H8]
	SMULL_4S(4, 30, 16)
	SMLAL2_4S(4, 30, 16)
	SMLAL_4S(4, 31, 17)
	SMLAL2_4S(4, 31, 17)
	VADDV  V4.S4, V4
	SCVTF_4S(4, 4)
	FMULS  F1, F3, F3
	FMSUBS F3, F0, F4, F0

done:
	FMOVS F0, ret+40(FP)
	RET

// func stepSmall(acc float32, b *Small, q *int8, sums *int16, d float32, narrow, min bool) float32
TEXT ·stepSmall(SB), NOSPLIT, $0-44
	FMOVS acc+0(FP), F0
	MOVD  b+8(FP), R1
	MOVD  q+16(FP), R2
	MOVD  sums+24(FP), R3
	FMOVS d+32(FP), F1
	MOVBU narrow+36(FP), R4
	MOVBU min+37(FP), R5
	VLD1.P 32(R1), [V16.B16, V17.B16]
	VLD1   (R2), [V20.B16, V21.B16]
	FMOVS  (R1), F2
	VMOVI   $0, V4.B16
	SDOT_4S(4, 16, 20)
	CBZ    R4, whole
	VADDV  V4.S4, V4
	SCVTF_4S(4, 4)
	FMULS  F1, F2, F2
	FMADDS F2, F0, F4, F0
	FMOVS  4(R1), F2
	VMOVI   $0, V4.B16

whole:
	SDOT_4S(4, 17, 21)
	VADDV  V4.S4, V4
	SCVTF_4S(4, 4)
	FMULS  F1, F2, F2
	FMADDS F2, F0, F4, F0
	CBZ    R5, done
	MOVH   (R3), R6
	MOVH   2(R3), R7
	ADD    R6, R7
	SCVTFWS R7, F4
	FMOVS  8(R1), F3
	FMULS  F1, F3, F3
	FMADDS F3, F0, F4, F0

done:
	FMOVS F0, ret+40(FP)
	RET
